"""The check tables of negotiate checks with databases."""

from __future__ import annotations

from lvs_agent.config.ldirectord.notes import Notes
from lvs_agent.config.ldirectord.servers import Real
from lvs_agent.config.ldirectord.tree import Table, given
from lvs_agent.config.ldirectord.values import Placed
from lvs_agent.config.ldirectord.virtuals import Virtual


def sql_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """What ``service=mysql`` or ``pgsql`` asks of ``real``, without port and times: login, and a row for request."""
    service, values = virtual.service, virtual.values
    user, query = values.quoted("login"), _query(virtual, real)
    if user is None or query is None:
        missing = "login" if user is None else "request"
        text = f"service={service.value} has no {missing}: a connection to its port is checked instead"
        notes.warning(service.line, f"{text}; ldirectord never takes it for up")
        return given(type=Placed("tcp", service.line))
    return given(
        type=service, user=user, password=values.quoted("passwd"), database=values.quoted("database"), query=query
    )


def _query(virtual: Virtual, real: Real) -> Placed[str] | None:
    """The statement; ldirectord leaves out a slash at its beginning."""
    request = virtual.values.quoted("request") if real.request is None else Placed(real.request, real.line)
    if request is None:
        return None
    query = Placed(request.value.removeprefix("/"), request.line)
    return query if query.value.strip() else None

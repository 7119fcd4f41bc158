"""The check tables of negotiate checks with databases."""

from __future__ import annotations

from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.ldirectord.reader.servers import Real
from lvs_agent.ldirectord.reader.tree import Table, given
from lvs_agent.ldirectord.reader.values import Placed
from lvs_agent.ldirectord.reader.virtuals import Virtual


def sql_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """What ``service=mysql`` or ``pgsql`` asks of ``real``, without port and times: login, and a row for request."""
    return _keys(virtual, real, notes, needed=("login", "request"), database="database")


def oracle_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """The same for ``service=oracle``, whose ``database`` is an instance (SID)."""
    return _keys(virtual, real, notes, needed=("login", "passwd", "database", "request"), database="sid")


def _keys(virtual: Virtual, real: Real, notes: Notes, *, needed: tuple[str, ...], database: str) -> Table:
    service, values = virtual.service, virtual.values
    said = {name: values.quoted(name) for name in ("login", "passwd", "database")} | {"request": _query(virtual, real)}
    missing = next((name for name in needed if said[name] is None), None)
    if missing is not None:
        text = f"service={service.value} has no {missing}: a connection to its port is checked instead"
        notes.warning(service.line, f"{text}; ldirectord never reports it as up")
        return given(type=Placed("tcp", service.line))
    keys = given(type=service, user=said["login"], password=said["passwd"], query=said["request"])
    return keys | given(**{database: said["database"]})


def _query(virtual: Virtual, real: Real) -> Placed[str] | None:
    """The statement; ldirectord leaves out a slash at its beginning."""
    request = virtual.values.quoted("request") if real.request is None else Placed(real.request, real.line)
    if request is None:
        return None
    query = Placed(request.value.removeprefix("/"), request.line)
    return query if query.value.strip() else None

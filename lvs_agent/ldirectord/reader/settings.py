"""Global directives, and what virtual services inherit of them."""

from __future__ import annotations

from dataclasses import dataclass

from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.ldirectord.reader.servers import Real, Servers
from lvs_agent.ldirectord.reader.values import Placed, Values
from lvs_agent.model.ipvs import Family, family_of

CHECK_LIMIT_S = 5
NEGOTIATE_LIMIT_S = 30
"""What holds where the file has no time limit at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Globals:
    """The directives before the virtual services; None: not written."""

    check_limit: Placed[int] | None
    negotiate_limit: Placed[int] | None
    interval: Placed[int] | None
    failures: Placed[int] | None
    fallback: Real | None
    fallback6: Real | None
    fallback_command: Placed[str] | None
    quiescent: Placed[bool] | None
    readd_quiescent: Placed[bool] | None
    clean_stop: Placed[bool] | None
    auto_reload: Placed[bool] | None
    maintenance_dir: Placed[str] | None
    values: Values


def read_globals(values: Values, *, servers: Servers, notes: Notes) -> Globals:
    """The global directives of a file."""
    check, negotiate = own_limits(values, notes=notes)
    return Globals(
        check_limit=check,
        negotiate_limit=negotiate,
        interval=values.number("checkinterval"),
        failures=values.number("failurecount"),
        fallback=_fallback("fallback", values, family=Family.INET, servers=servers, notes=notes),
        fallback6=_fallback("fallback6", values, family=Family.INET6, servers=servers, notes=notes),
        fallback_command=values.text("fallbackcommand"),
        quiescent=values.switch("quiescent"),
        readd_quiescent=values.switch("readdquiescent"),
        clean_stop=values.switch("cleanstop"),
        auto_reload=values.switch("autoreload"),
        maintenance_dir=values.text("maintenancedir"),
        values=values,
    )


def _fallback(name: str, values: Values, *, family: Family, servers: Servers, notes: Notes) -> Real | None:
    """The global fallback server of the services of ``family``."""
    found = servers.fallback(values.entry(name), family=family)
    if found is not None and family_of(found.address) is not family:
        version = "IPv4" if family is Family.INET else "IPv6"
        notes.warning(found.line, f"{name}: {found.address} is not an {version} address; ldirectord refuses it")
    return found


def own_limits(values: Values, *, notes: Notes) -> tuple[Placed[int] | None, Placed[int] | None]:
    """The time limits of check and negotiate that are written in one place, under their names or the old ones."""
    check, negotiate = values.number("checktimeout"), values.number("negotiatetimeout")
    both, connect = values.number("timeout"), values.number("connecttimeout")
    if connect is not None:
        notes.warning(connect.line, "connecttimeout is read as negotiatetimeout; ldirectord refuses the old name")
    if both is not None:
        text = "timeout is read as checktimeout and negotiatetimeout; ldirectord refuses the old name"
        notes.warning(both.line, text)
    return check or both, negotiate or connect or both


def limits(values: Values, *, around: Globals, line: int, notes: Notes) -> tuple[Placed[int], Placed[int]]:
    """The time limits that hold for a virtual service which begins on ``line``: each stands in for the other one."""
    check, negotiate = own_limits(values, notes=notes)
    return (
        check or negotiate or around.check_limit or around.negotiate_limit or Placed(CHECK_LIMIT_S, line),
        negotiate or check or around.negotiate_limit or around.check_limit or Placed(NEGOTIATE_LIMIT_S, line),
    )

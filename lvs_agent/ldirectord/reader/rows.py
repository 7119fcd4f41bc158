"""The tables of a virtual service's servers: the row that the kernel shall have, and the check."""

from __future__ import annotations

from lvs_agent.ldirectord.reader.checks import check_keys
from lvs_agent.ldirectord.reader.labels import monitor_label
from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.ldirectord.reader.servers import Real
from lvs_agent.ldirectord.reader.settings import Globals
from lvs_agent.ldirectord.reader.tree import Table, given, shared
from lvs_agent.ldirectord.reader.values import Placed
from lvs_agent.ldirectord.reader.virtuals import Virtual
from lvs_agent.model.ipvs import Family, IPAddress

_FORWARDING = {"masq": "masquerade", "ipip": "tunnel"}


def server_tables(virtual: Virtual, *, notes: Notes) -> tuple[Table, list[Placed[Table]]]:
    """The keys that the checks of all real servers of ``virtual`` share, and the table of each server."""
    reals = _distinct(virtual, notes)
    common, own = shared([check_keys(virtual, real, notes) or {} for real in reals])
    return common, [_server(virtual, real, check, notes) for real, check in zip(reals, own, strict=True)]


def sorry_table(virtual: Virtual, *, around: Globals, notes: Notes) -> Placed[Table] | None:
    """The table of the fallback server of ``virtual``: its own, else the global one of its address family."""
    fallback = virtual.fallback or (around.fallback6 if virtual.family is Family.INET6 else around.fallback)
    if fallback is None:
        return None
    _note_port(virtual, fallback, "fallback server", notes)
    return Placed(_destination(virtual, fallback), fallback.line)


def _distinct(virtual: Virtual, notes: Notes) -> tuple[Real, ...]:
    """The first server of each row."""
    first: dict[tuple[IPAddress, int], Real] = {}
    for real in virtual.reals:
        key = (real.address, _row_port(virtual, real))
        if key in first:
            text = (
                f"{real.host} is a real server of this virtual service already (line {first[key].line}), which counts"
            )
            notes.warning(real.line, text)
        first.setdefault(key, real)
    return tuple(first.values())


def _server(virtual: Virtual, real: Real, check: Table, notes: Notes) -> Placed[Table]:
    line = real.line
    _note_port(virtual, real, "real server", notes)
    table = _destination(virtual, real) | given(
        weight=None if real.weight == 1 else Placed(real.weight, line),
        upper_threshold=Placed(real.upper, line) if real.upper else None,
        lower_threshold=Placed(real.lower, line) if real.lower else None,
        monitor_label=Placed(monitor_label(virtual, real), line) if virtual.values.entry("monitorfile") else None,
        check=Placed(check, line) if check else None,
    )
    return Placed(table, line)


def _destination(virtual: Virtual, real: Real) -> Table:
    """Address, port and forwarding; a port that is the service's is left out."""
    port, forwarding = _row_port(virtual, real), _FORWARDING.get(real.method)
    return given(
        address=Placed(str(real.address), real.line),
        port=None if port == virtual.port else Placed(port, real.line),
        forwarding=None if forwarding is None else Placed(forwarding, real.line),
    )


def _row_port(virtual: Virtual, real: Real) -> int:
    return real.row_port(virtual.port, marked=virtual.mark is not None)


def _note_port(virtual: Virtual, real: Real, what: str, notes: Notes) -> None:
    if virtual.mark is not None:
        return
    if real.method != "masq" and real.port not in (0, virtual.port):
        text = f"with {real.method} the {what} gets packets on the virtual service's port, not on {real.port}"
        notes.warning(real.line, f"{text}; only masq maps ports")
    elif real.method == "masq" and not real.port:
        text = f"the {what} has no port: its row has the virtual service's, where ldirectord has 0"
        notes.warning(real.line, text)

"""How ldirectord names a real server in the lines of a monitor file."""

from __future__ import annotations

import re

from lvs_agent.ldirectord.reader.commands import DEFAULT_CHECK_COMMAND
from lvs_agent.ldirectord.reader.servers import Real
from lvs_agent.ldirectord.reader.virtuals import CheckType, Virtual

_SPECIAL = re.compile(r"([^A-Za-z0-9_])")
_COLONS = re.compile(":+")
_NEGOTIATES = frozenset({CheckType.NEGOTIATE, CheckType.COMBINED})
_EXTERNAL = frozenset({CheckType.EXTERNAL, CheckType.EXTERNAL_PERL})


def monitor_label(virtual: Virtual, real: Real) -> str:
    """``"negotiate http tcp 10.0.0.1 80 1 gate / "``: check, protocol, server, virtual host, check port, weight,
    forwarding, request and response, with a blank for each run of colons (ldirectord 4.12, get_real_id_str).
    """
    request = virtual.request.value if virtual.request else "/"
    receive = virtual.receive.value if virtual.receive else ""
    fields = (
        _check(virtual),
        virtual.protocol,
        real.host,
        str(real.port),
        virtual.virtual_host.value if virtual.virtual_host else "",
        str(virtual.check_port.value) if virtual.check_port else "",
        str(real.weight),
        real.method,
        _escaped(_with_slash(request if real.request is None else real.request)),
        _escaped(receive if real.receive is None else real.receive),
    )
    return _COLONS.sub(" ", ":".join(fields)).replace("\\", "")


def _check(virtual: Virtual) -> str:
    kind = virtual.check_type.value
    if kind in _NEGOTIATES:
        return f"{kind.value}:{virtual.service.value}"
    if kind in _EXTERNAL:
        return f"{kind.value}:{virtual.check_command.value if virtual.check_command else DEFAULT_CHECK_COMMAND}"
    return kind.value


def _with_slash(request: str) -> str:
    return request if request.startswith("/") else f"/{request}"


def _escaped(text: str) -> str:
    """With a backslash before everything special, so that neighbouring colons of the text stay two blanks."""
    return _SPECIAL.sub(r"\\\1", text)

"""Which user each process runs as: its own where the host has it, else nobody."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass

from lvs_agent.commands import privileges

AGENT, CHECKS, COMMANDS, NOBODY = "lvs-agent", "lvs-agent-check", "lvs-agent-command", "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """Names of users; None: that of the process that starts the agent.  ``warnings``: which one is not the intended
    one, and the remedy.
    """

    agent: str | None = None
    checks: str | None = None
    commands: str | None = None
    warnings: tuple[str, ...] = ()


def users_here() -> Users:
    """The users that this process may choose, and that the host has."""
    if not privileges.have(privileges.CAP_SETUID, privileges.CAP_SETGID):
        is_root = os.geteuid() == 0
        warning = "checks and commands run as root: lvs-agent may not change users (CAP_SETUID, CAP_SETGID)"
        return Users(warnings=(warning,) if is_root else ())
    checks, commands = _first_of(CHECKS, NOBODY), _first_of(COMMANDS, NOBODY)
    warnings = [
        f"{what} run as {used or 'the user of lvs-agent'}: there is no user {meant} (systemd-sysusers makes it)"
        for what, used, meant in (("checks", checks, CHECKS), ("commands", commands, COMMANDS))
        if used != meant
    ]
    return Users(
        agent=_first_of(AGENT) if os.geteuid() == 0 else None,
        checks=checks,
        commands=commands,
        warnings=tuple(warnings),
    )


def _first_of(*names: str) -> str | None:
    for name in names:
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None

"""Checkers for tests of the configuration: a plain one, one with secrets, one without ports."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from lvs_agent.checks.kinds import Checker
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, Passed, Target
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Secret
from lvs_agent.settings.strict import Strict


class PlainSettings(CheckSettings):
    send: str | None = None
    note: str | None = None


class TlsTable(Strict):
    verify: bool = True
    passphrase: Secret | None = None


class LoginSettings(CheckSettings):
    default_port: ClassVar[int | None] = 8_443

    user: str
    password: Secret | None = None
    headers: dict[str, Secret] = Field(default_factory=dict)
    tls: TlsTable = TlsTable()
    note: str | None = None


class StillSettings(CheckSettings):
    uses_port: ClassVar[bool] = False
    wants_identity: ClassVar[bool] = True


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """Never run here."""
    return Passed()


KINDS = {
    "login": Checker("login", LoginSettings, probe, "Logs in."),
    "still": Checker("still", StillSettings, probe, "Does nothing."),
    "tcp": Checker("tcp", PlainSettings, probe, "Connects."),
}

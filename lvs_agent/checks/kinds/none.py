"""No test; the server is up or down as the configuration says."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.settings.check import CheckSettings

INLINE = True
CONSTANT = True

EXAMPLE = """
[virtual_service.check]
type = "none"
result = "up"
"""
PASSES = "Always, unless result is down."
FAILS = {FailureReason.EXEC: "always, if result is down"}
SEEN = "Nothing."


class Fixed(Enum):
    """The result of the check."""

    UP = "up"
    DOWN = "down"


def _fixed(value: object) -> Fixed:
    try:
        return Fixed(value)
    except ValueError:
        raise ValueError('must be "up" or "down"') from None


class Settings(CheckSettings):
    """Keys of a check with ``type = "none"``."""

    uses_port: ClassVar[bool] = False

    result: Annotated[Fixed, BeforeValidator(_fixed, json_schema_input_type=str)] = Fixed.UP
    """"up" or "down"; "down" fails with the reason "exec"."""


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """The configured result, at once."""
    del run
    settings: Settings = target.settings
    if settings.result is Fixed.UP:
        return Passed("always up by configuration")
    return Failed(FailureReason.EXEC, "always down by configuration")

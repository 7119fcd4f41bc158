"""ICMP echo request; the server must answer."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Stage
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, FailureReason, Target
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Size

EXAMPLE = """
[virtual_service.check]
type = "ping"
payload_size = "56B"
"""
PASSES = "The echo reply comes back, with the data that was sent."
FAILS = {
    FailureReason.READ_TIMEOUT: "no reply",
    FailureReason.UNREACHABLE: "a router, or the server's own network, reports that it cannot be reached",
}
SEEN = "Nothing, unless its firewall logs echo requests."


class Settings(CheckSettings):
    """Keys of a check with ``type = "ping"``."""

    uses_port: ClassVar[bool] = False

    payload_size: Annotated[Size, Field(ge=16, le=1_400)] = 56
    """Size of the data in the request, "16B" to "1400B"."""


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One echo request and its reply, ICMP or ICMPv6 as the address has it."""
    settings: Settings = target.settings

    def sent() -> None:
        run.progress.stage = Stage.CONNECTED
        run.progress.waiting_for = "echo reply"

    try:
        return await run.pinger.ping(target.address, size=settings.payload_size, sent=sent)
    except PermissionError:
        remedy = "give this program CAP_NET_RAW, or put its group into net.ipv4.ping_group_range"
        return Errored(ErrorReason.NOT_PERMITTED, f"ICMP sockets are not allowed: {remedy}")
    except OSError as problem:
        return outcome_of(problem)

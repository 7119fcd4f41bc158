"""TCP connection; it must be accepted, and every configured step of a dialogue must be answered as expected."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from lvs_agent.checks.kinds.tcp import steps as tcp_steps
from lvs_agent.checks.kinds.tcp.steps import Step
from lvs_agent.checks.net.connection import connect
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, FailureReason, Target
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Size

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "tcp"
port = 4321
steps = [
    { expect = "+READY" },
    { send = "STATUS\\r\\n", expect_regex = "^state: (ok|degraded)\\\\r?\\\\n" },
    { send_hex = "0d 0a" },
]
"""

PASSES = "The connection is accepted (and closed again); with steps, each of them is answered as expected, in order."

FAILS = {
    FailureReason.CONTENT: "the server closed, or read_limit was reached, before a step got what it expects",
    FailureReason.PROTOCOL: "the server closed the connection without an answer, or reset it",
    FailureReason.READ_TIMEOUT: "what a step expects did not come in time; what the server has sent is shown",
    FailureReason.TLS: "with a tls table: the handshake fails, or the certificate is not accepted",
}

SEEN = "Without steps, a connection that is closed without data; with steps, what they send."


class Settings(CheckSettings):
    """Keys of a check with ``type = "tcp"``; without any, the connection alone is checked."""

    steps: Annotated[
        tuple[Step, ...], Field(max_length=32), BeforeValidator(tcp_steps.as_tuple, json_schema_input_type=list[Step])
    ] = ()
    """What is sent and expected, one step after the other: send or send_hex, then expect, expect_regex or expect_hex;
    either half may be left out."""
    half_close: bool = False
    """Whether to close the sending side after the last step that sends, for servers that answer at the end of input."""
    read_limit: Annotated[Size, Field(ge=1, le=262_144)] = 65_536
    """Maximum that is read in all steps together; at most 256KiB."""
    tls: TlsSettings | None = None
    """Settings of TLS and of the certificate's verification.  Without this table TLS is not used."""

    @model_validator(mode="after")
    def _half_closes_can_be_sent(self) -> Self:
        if self.half_close and (self.tls is not None or not self.steps):
            raise ValueError("half_close needs steps, and is not possible over TLS")
        return self


def probe(target: Target, run: ProbeRun) -> Coroutine[object, None, CheckResult]:
    """Connect, make the configured steps, then close in order."""
    settings: Settings = target.settings
    if settings.steps or settings.tls is not None:
        return tcp_steps.check(
            target, run, settings.steps, half_close=settings.half_close, limit=settings.read_limit, tls=settings.tls
        )
    return connect(target, run)

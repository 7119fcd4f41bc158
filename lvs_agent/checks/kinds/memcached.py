"""Memcached version request; the server must answer it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ClassVar

from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue, converse
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.settings.check import CheckSettings

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "memcached"
"""

PASSES = "The server reports its version."

FAILS = {
    FailureReason.STATUS: "the server answers with an error, for example because it requires a login first",
    FailureReason.PROTOCOL: "the answer is not that of memcached, or the server closes the connection",
    FailureReason.TLS: "with a tls table: the handshake fails, or the certificate is not accepted",
}

SEEN = "A connection with the commands version and quit."

_ERRORS = ("ERROR", "CLIENT_ERROR", "SERVER_ERROR")


class Settings(CheckSettings):
    """Keys of a check with ``type = "memcached"``."""

    default_port: ClassVar[int | None] = 11211

    tls: TlsSettings | None = None
    """Settings of TLS and of the certificate's verification.  Without this table TLS is not used."""


def probe(target: Target, run: ProbeRun) -> Awaitable[CheckResult]:
    """Ask for the version in the text protocol."""
    settings: Settings = target.settings
    return converse(target, run, _talk, tls=settings.tls)


async def _talk(dialogue: Dialogue) -> Passed | Failed:
    await dialogue.send("version")
    answer = (await dialogue.line(of="version")).decode("utf-8", "replace")
    word, _, version = answer.partition(" ")
    if word in _ERRORS:
        raise CheckFailed(FailureReason.STATUS, f"version: {dialogue.shown(answer)}")
    if word != "VERSION" or not version:
        raise CheckFailed(FailureReason.PROTOCOL, f"version: not an answer of memcached: {dialogue.shown(answer)}")
    await dialogue.send("quit")
    return Passed(dialogue.shown(f"version {version}"))

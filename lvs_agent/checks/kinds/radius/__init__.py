"""RADIUS login (PAP); the server must accept the user.

The request carries a Message-Authenticator (RFC 2869), as servers hardened against forged packets demand.  The reply's
authenticators must match; a reply with a wrong one is ignored, as RFC 2865 requires, and reported when time runs out.
A server that does not know the director as its client, or has another secret for it, does not answer at all.
"""

from __future__ import annotations

import secrets
from ipaddress import ip_address
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator

from lvs_agent.checks.kinds.radius import packet as radius_packet
from lvs_agent.checks.kinds.radius.packet import LONGEST_PASSWORD, LONGEST_VALUE, Code, Reply, Request, Unanswered
from lvs_agent.checks.net.datagram import ask
from lvs_agent.checks.net.dialogue import printable
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.model.ipvs import IPAddress
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Line, Secret

EXAMPLE = """
[virtual_service.check]
type = "radius"
user = "monitor"
password_file = "/etc/lvs-agent/radius-password"
secret_file = "/etc/lvs-agent/radius-secret"
"""
PASSES = "The server answers Access-Accept; with accept_reject = true, also Access-Reject or Access-Challenge."
FAILS = {
    FailureReason.REFUSED: "the port is closed",
    FailureReason.STATUS: "Access-Reject or Access-Challenge; the detail has the server's Reply-Message",
    FailureReason.PROTOCOL: "a valid reply of another kind",
    FailureReason.READ_TIMEOUT: "no answer, or none with a valid authenticator: the secret may differ, or the server"
    " may not know the director as its client",
}
SEEN = "A login of the user at each check, from the director's address and with nas_identifier."


def _short(value: str) -> str:
    if len(value.encode()) > LONGEST_VALUE:
        raise ValueError(f"at most {LONGEST_VALUE} bytes are allowed")
    return value


def _password(value: Secret) -> Secret:
    if len(value.get_secret_value().encode()) > LONGEST_PASSWORD:
        raise ValueError(f"at most {LONGEST_PASSWORD} bytes are allowed")
    return value


def _secret(value: Secret) -> Secret:
    if not value.get_secret_value():
        raise ValueError("must not be empty")
    return value


def _address(value: object) -> IPAddress:
    try:
        return ip_address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError('must be an address, like "192.0.2.1" or "2001:db8::1"') from None


Value = Annotated[Line, AfterValidator(_short)]


class Settings(CheckSettings):
    """Keys of a check with ``type = "radius"``."""

    default_port: ClassVar[int | None] = 1812

    user: Value
    """User to log in as."""
    password: Annotated[Secret, AfterValidator(_password)]
    """The user's password, at most 128 bytes."""
    secret: Annotated[Secret, AfterValidator(_secret)]
    """The shared secret of server and director."""
    nas_identifier: Value = "lvs-agent"
    """Name of the director (NAS-Identifier)."""
    nas_address: Annotated[IPAddress, BeforeValidator(_address, json_schema_input_type=str)] | None = None
    """The director's address (NAS-IP-Address or NAS-IPv6-Address).  Without it none is sent."""
    accept_reject: bool = False
    """Whether it is enough that the server answers, even if it rejects the user."""


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One Access-Request and its reply."""
    settings: Settings = target.settings
    request = _request(settings)

    def accept(datagram: bytes) -> Reply | None:
        reply = radius_packet.reply_to(request, datagram)
        if isinstance(reply, Unanswered):
            run.progress.waiting_for = f"an answer (there was one {reply.value})"
            return None
        return reply

    try:
        reply = await ask(target, run, request.packet(), accept)
    except OSError as problem:
        return outcome_of(problem)
    return _judge(reply, settings)


def _request(settings: Settings) -> Request:
    return Request(
        identifier=secrets.randbelow(256),
        authenticator=secrets.token_bytes(16),
        secret=settings.secret.get_secret_value().encode(),
        user=settings.user.encode(),
        password=settings.password.get_secret_value().encode(),
        nas_identifier=settings.nas_identifier.encode(),
        nas_address=settings.nas_address,
    )


def _judge(reply: Reply, settings: Settings) -> Passed | Failed:
    shown = printable(_without_secrets(str(reply), settings))
    if reply.code == Code.ACCESS_ACCEPT:
        return Passed(shown)
    if reply.code not in (Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE):
        return Failed(FailureReason.PROTOCOL, f"unexpected {shown}")
    return Passed(shown) if settings.accept_reject else Failed(FailureReason.STATUS, shown)


def _without_secrets(text: str, settings: Settings) -> str:
    """A server may write into its Reply-Message what it was sent."""
    for secret in (settings.password, settings.secret):
        text = text.replace(secret.get_secret_value() or "\0", "***")
    return text

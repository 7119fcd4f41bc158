"""The answers of a RADIUS server."""

from __future__ import annotations

from lvs_agent.checks.kinds.radius.packet import Attribute, Code, response_authenticator, signed

SECRET = b"xyzzy5461"


def answer(
    question: bytes, code: int, *, message: bytes = b"", secret: bytes = SECRET, proof: bytes | None = None
) -> bytes:
    """A reply; ``proof`` stands in its Message-Authenticator instead of the right one."""
    attributes = [(Attribute.REPLY_MESSAGE, message)] if message else []
    packet = signed(code, identifier=question[1], authenticator=question[4:20], attributes=attributes, secret=secret)
    if proof is not None:
        packet = packet[:22] + proof + packet[38:]
    return (
        packet[:4] + response_authenticator(packet, request_authenticator=question[4:20], secret=secret) + packet[20:]
    )


def accepting(question: bytes) -> list[bytes]:
    """Everybody may come in."""
    return [answer(question, Code.ACCESS_ACCEPT)]


def rejecting(question: bytes) -> list[bytes]:
    """Nobody may."""
    return [answer(question, Code.ACCESS_REJECT, message=b"unknown\nuser")]

"""Fetching a file over FTP in passive mode (RFC 959, RFC 2428)."""

from __future__ import annotations

import re

from lvs_agent.checks.net.connection import Connection, endpoint_of
from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.model.check import Failed, FailureReason

_TYPE_SET, _EXTENDED_PASSIVE, _PASSIVE, _TRANSFER_BEGINS = 200, 229, 227, (125, 150)
_COMPLETE = (226, 250)
_BROKEN_OFF_BY_US = (*_COMPLETE, 426, 451)

_EXTENDED = re.compile(r"\((.)\1\1([0-9]{1,5})\1\)")
_CLASSIC = re.compile(r"[0-9]{1,3}(?:,[0-9]{1,3}){3},([0-9]{1,3}),([0-9]{1,3})")


async def fetch(dialogue: Dialogue, path: str, *, limit: int) -> bytes:
    """The first ``limit`` bytes of a file.

    Whatever address the server names, the data connection goes to the one that is checked: a server must not be able
    to send the director elsewhere.  Raises what a Dialogue's methods raise.
    """
    await dialogue.send("TYPE I")
    await dialogue.expect(_TYPE_SET, of="TYPE")
    port = await _passive_port(dialogue)
    try:
        with Connection(endpoint_of(dialogue.target.address, port), dialogue.run) as data:
            await _connected(data, dialogue)
            await dialogue.send(f"RETR {path}")
            await dialogue.expect(*_TRANSFER_BEGINS, of="RETR")
            body = await _received(data, dialogue, limit=limit)
    except OSError as problem:
        result = outcome_of(problem)
        if isinstance(result, Failed):
            raise CheckFailed(result.reason, f"fetching the file: {result.detail}") from None
        raise
    await dialogue.expect(*(_COMPLETE if len(body) <= limit else _BROKEN_OFF_BY_US), of="end of the file")
    return body[:limit]


async def _connected(data: Connection, dialogue: Dialogue) -> None:
    dialogue.run.progress.waiting_for = "data connection"
    await data.connected()


async def _received(data: Connection, dialogue: Dialogue, *, limit: int) -> bytes:
    """What the server sends until its end, or somewhat more than ``limit``."""
    body = bytearray()
    dialogue.run.progress.waiting_for = "the file"
    while len(body) <= limit and (more := await data.receive()):
        body += more
    return bytes(body)


async def _passive_port(dialogue: Dialogue) -> int:
    """The port on which the server waits for the data connection."""
    await dialogue.send("EPSV")
    reply = await dialogue.reply(of="EPSV")
    if reply.code == _EXTENDED_PASSIVE:
        found = _EXTENDED.search(reply.lines[-1])
        port = 0 if found is None else int(found[2])
    elif dialogue.target.address.version == 4:
        await dialogue.send("PASV")
        reply = await dialogue.expect(_PASSIVE, of="PASV")
        found = _CLASSIC.search(reply.lines[-1])
        port = 0 if found is None else int(found[1]) * 256 + int(found[2])
    else:
        raise CheckFailed(FailureReason.STATUS, f"EPSV: {dialogue.shown(reply.words)}")
    if not 0 < port < 65_536:
        raise CheckFailed(FailureReason.PROTOCOL, f"passive mode: no port in {dialogue.shown(reply.words)}")
    return port

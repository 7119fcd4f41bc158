"""IMAP commands and their answers (RFC 3501), as far as checks need them."""

from __future__ import annotations

import re

from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue
from lvs_agent.model.check import FailureReason

_LITERAL = re.compile(r"\{(\d{1,9})\}$")
_QUOTABLE = re.compile(r"[\x01-\x09\x0b\x0c\x0e-\x7f]*")


class ImapSession:
    """One session.  Every method may raise CheckFailed, and what ``Dialogue`` raises."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._commands = 0

    async def greeting(self) -> None:
        """The first line: OK, or PREAUTH."""
        line = await self._response(of="banner")
        match _words(line):
            case "*", "OK" | "PREAUTH":
                return
            case "*", "BYE":
                raise CheckFailed(FailureReason.STATUS, f"banner: {self._dialogue.shown(line)}")
        raise self._violation(line, of="banner")

    async def capabilities(self) -> tuple[str, ...]:
        """What the server can do."""
        lines = await self.command("CAPABILITY")
        return tuple(word for line in lines if _words(line) == ("*", "CAPABILITY") for word in line.split()[2:])

    async def command(self, name: str, *arguments: str) -> list[str]:
        """Give a command that must end with OK; the untagged lines of its answer."""
        self._commands += 1
        tag, of = f"a{self._commands}", f"answer to {name}"
        line = f"{tag} {name}".encode()
        for argument in arguments:
            if _QUOTABLE.fullmatch(argument):
                line += b" " + quoted(argument).encode()
                continue
            literal = argument.encode()
            await self._dialogue.send(line + b" {%d}" % len(literal))
            await self._answer(tag, of=of, literal=True)
            line = literal
        await self._dialogue.send(line)
        return await self._answer(tag, of=of)

    async def _answer(self, tag: str, *, of: str, literal: bool = False) -> list[str]:
        """The untagged lines up to the tagged one, or with ``literal`` up to the leave to go on."""
        untagged = []
        while True:
            line = await self._response(of=of)
            match _words(line):
                case "*", "BYE":
                    raise CheckFailed(FailureReason.STATUS, f"{of}: {self._dialogue.shown(line)}")
                case "*", _:
                    untagged.append(line)
                case "+", _ if literal:
                    return untagged
                case found, "OK" if found == tag and not literal:
                    return untagged
                case found, "NO" | "BAD" if found == tag:
                    raise CheckFailed(FailureReason.STATUS, f"{of}: {self._dialogue.shown(line.partition(' ')[2])}")
                case _:
                    raise self._violation(line, of=of)

    async def _response(self, *, of: str) -> str:
        """A line, with the literals within it."""
        line = await self._piece(of=of)
        last = line
        while found := _LITERAL.search(last):
            literal = (await self._dialogue.exactly(int(found[1]), of=of)).decode("utf-8", "replace")
            last = await self._piece(of=of)
            line += literal + last
        return line

    async def _piece(self, *, of: str) -> str:
        return (await self._dialogue.line(of=of)).decode("utf-8", "replace")

    def _violation(self, line: str, *, of: str) -> CheckFailed:
        words = self._dialogue.shown(line) or "an empty line"
        return CheckFailed(FailureReason.PROTOCOL, f"{of}: not a reply: {words}")


def quoted(text: str) -> str:
    """``text`` as a quoted string; it must be ASCII without CR, LF and NUL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _words(line: str) -> tuple[str, str]:
    """The tag and the word behind it."""
    tag, _, rest = line.partition(" ")
    return tag, rest.partition(" ")[0].upper()

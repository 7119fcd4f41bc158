"""Servers that follow a script, whatever they receive."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lvs_agent.model.check import CheckResult
from tests.checks.conftest import Certificate
from tests.checks.servers import result_of, run, serving, spec

_LAST_WORD_S = 0.1


@dataclass(frozen=True, slots=True)
class ThenTls:
    """An answer behind which TLS begins."""

    answer: str


class Script:
    """A handler that says ``banner``, and the next of ``answers`` to each line; to one more it says nothing and closes.

    Lines of an answer are separated by line feeds.  ``heard`` has all that it received.
    """

    def __init__(self, banner: str, *answers: str | ThenTls, certificate: Certificate | None = None) -> None:
        self.heard: list[str] = []
        self._banner = banner
        self._answers = answers
        self._certificate = certificate

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        await _say(writer, self._banner)
        for answer in self._answers:
            line = await reader.readline()
            if not line:
                return
            self.heard.append(line.decode().removesuffix("\r\n"))
            await _say(writer, answer.answer if isinstance(answer, ThenTls) else answer)
            if isinstance(answer, ThenTls) and self._certificate is not None:
                await writer.start_tls(self._certificate.server_context())
        with suppress(TimeoutError):  # closing with something unread would be a reset
            await asyncio.wait_for(reader.readline(), _LAST_WORD_S)


async def _say(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(text.replace("\n", "\r\n").encode() + b"\r\n")
    await writer.drain()


def checked(kind: str, script: Script, *, encrypted_by: Certificate | None = None, **settings: Any) -> CheckResult:
    """The result of one check of a server that follows ``script``."""

    async def main() -> CheckResult:
        async with serving(script, tls=encrypted_by.server_context() if encrypted_by else None) as port:
            return await result_of(spec(kind, port=port, **settings))

    return run(main())

"""Many small HTTP servers in one process.  A command lets each of them refuse, hang or work.

Reads the commands ``refuse PORT``, ``hang PORT`` and ``well PORT`` from standard input, and answers each with the
monotonic time at which it was carried out.  The first line of output is ``ready``.
"""

from __future__ import annotations

import asyncio
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\ntest\n"


class Server:
    """One port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._hangs = False
        self._server: asyncio.Server | None = None

    async def well(self) -> None:
        """Listen and answer."""
        self._hangs = False
        if self._server is None:
            self._server = await asyncio.start_server(self._answer, "0.0.0.0", self._port, backlog=64)

    async def hang(self) -> None:
        """Listen and say nothing."""
        await self.well()
        self._hangs = True

    async def refuse(self) -> None:
        """Do not listen."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if self._hangs:
                await reader.read()
            else:
                writer.write(ANSWER)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def main() -> None:
    """Serve the ports given as arguments until standard input ends."""
    servers = {int(port): Server(int(port)) for port in sys.argv[1:]}
    for server in servers.values():
        await server.well()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        command, port = line.split()
        await getattr(servers[int(port)], command)()
        print(time.monotonic(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())

"""What a check worker writes to its standard error: tracebacks, and whatever its libraries print."""

from __future__ import annotations

import asyncio
import os

from lvs_agent.log import get_logger
from lvs_agent.one_line import one_line

log = get_logger()

LINES, AGAIN_S = 50, 60.0
"""Most lines of a worker that are logged within so many seconds; the others are dropped."""
LINE_LIMIT = 500
_READ_SIZE = 65_536


async def repeat(descriptor: int, *, pid: int) -> None:
    """Log the lines that arrive at ``descriptor``, one by one, until its end; then close it."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    begun = b""
    left, until = LINES, loop.time() + AGAIN_S
    try:
        while data := await reader.read(_READ_SIZE):
            *lines, begun = (begun + data).split(b"\n")
            begun = begun[:LINE_LIMIT]
            if loop.time() > until:
                left, until = LINES, loop.time() + AGAIN_S
            for line in lines[:left]:
                text = one_line(line[:LINE_LIMIT].decode("utf-8", "replace").rstrip(), instead="?")
                log.warning("check_worker_said", pid=pid, text=text)
            left -= min(left, len(lines))
    finally:
        transport.close()

"""Steady load for scenario tests: a number of HTTP requests per second, each on its own connection.

Runs until its standard input ends, then prints one JSON object: ``served`` (requests by the answering server's name)
and ``failures`` (one sentence each).  The line ``ready`` comes before the first request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from urllib.parse import urlsplit


async def request(url: str, *, timeout_s: float) -> str:
    """The name of the server that answered with 200.  Raises OSError, TimeoutError or ValueError."""
    parts = urlsplit(url)
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        try:
            head = f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n"
            writer.write(head.encode())
            answer = (await reader.read()).decode(errors="replace")
        finally:
            writer.close()
    first, *lines = answer.split("\r\n")
    if first.split(" ")[1:2] != ["200"]:
        raise ValueError(first or "connection closed without an answer")
    return next((line.split(": ")[1] for line in lines if line.startswith("Real-Server: ")), "")


class Load:
    """The results of the requests so far."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self.served: Counter[str] = Counter()
        self.failures: list[str] = []

    async def one(self, number: int) -> None:
        try:
            self.served[await request(self._url, timeout_s=self._timeout_s)] += 1
        except (OSError, TimeoutError, ValueError) as error:
            self.failures.append(f"request {number}: {type(error).__name__} {error}")


async def run(url: str, *, rate: float, timeout_s: float) -> Load:
    """Start ``rate`` requests a second until standard input ends, and wait for the last one."""
    loop = asyncio.get_running_loop()
    load = Load(url, timeout_s=timeout_s)
    end = loop.run_in_executor(None, sys.stdin.read)
    begin, number = loop.time(), 0
    print("ready", flush=True)
    async with asyncio.TaskGroup() as group:
        while not end.done():
            group.create_task(load.one(number), name=f"request {number}")
            number += 1
            await asyncio.wait([end], timeout=max(0.0, begin + number / rate - loop.time()))
    return load


def main() -> None:
    """Run, and print the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--timeout", type=float, default=2.0)
    arguments = parser.parse_args()
    load = asyncio.run(run(arguments.url, rate=arguments.rate, timeout_s=arguments.timeout))
    print(json.dumps({"served": load.served, "failures": load.failures}), flush=True)


if __name__ == "__main__":
    main()

"""Runs first probes, each in a fork of a process that has the daemon's modules and no check's.

A program: it reads checks, a line each, and answers each with a line (``FirstProbes`` is the other side).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import uvloop

import lvs_agent.daemon  # noqa: F401 - so that what it has is not counted
from lvs_agent.checks.engine import libraries
from lvs_agent.checks.engine.engine import Engine
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.clock import SystemClock
from lvs_agent.model.check import CheckReport, CheckResult, CheckSpec


@dataclass(frozen=True, slots=True)
class First:
    """What a first probe said, which modules it imported, and the check as it was there when the probe had run."""

    result: CheckResult
    imported: list[str]
    check: CheckSpec


class FirstProbes:
    """The program, running."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:
            if self._process.stdin is not None:
                self._process.stdin.close()

    def of(self, spec: CheckSpec, *, loaded: bool = True) -> First:
        """The first probe of a check in a new process, after its libraries are ``loaded``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([_packed(spec), loaded]), file=self._process.stdin, flush=True)
        answer = pickle.loads(base64.b64decode(self._process.stdout.readline()))
        assert isinstance(answer, First)
        return answer


def _packed(thing: object) -> str:
    return base64.b64encode(pickle.dumps(thing)).decode()


async def _reported(spec: CheckSpec) -> CheckResult:
    """The result of one probe that an engine makes."""
    reports: asyncio.Queue[CheckReport] = asyncio.Queue()

    def report(batch: Sequence[CheckReport]) -> None:
        for one in batch:
            reports.put_nowait(one)

    engine = Engine(clock=SystemClock(), report=report, resources=ProbeResources())
    engine.configure([spec])
    task = asyncio.get_running_loop().create_task(engine.run(), name="engine")
    try:
        return (await reports.get()).result
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _first(packed: str, *, loaded: bool) -> First:
    spec: CheckSpec = pickle.loads(base64.b64decode(packed))
    if loaded:
        libraries.load([spec])
    before = set(sys.modules)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(_reported(spec))
    return First(result, sorted(set(sys.modules) - before), spec)


def _main() -> None:
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            packed, loaded = json.loads(line)
            print(_packed(_first(packed, loaded=loaded)), flush=True)
            os._exit(0)
        os.waitpid(process, 0)


if __name__ == "__main__":
    sys.modules["tests.checks.first_probe"] = sys.modules["__main__"]
    First.__module__ = "tests.checks.first_probe"
    _main()

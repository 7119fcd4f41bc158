"""The kernel's statistics, read on request, once for all requests at about the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock, Thread
from typing import TypeVar

from lvs_agent.clock import Clock
from lvs_agent.errors import IpvsError
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.log import get_logger
from lvs_agent.metrics.reading import Source, SourceRun
from lvs_agent.model.statistics import KernelInfo, Statistics

REUSE_S = 1.0
"""A reading answers all requests within this time after its end."""
KERNEL = frozenset({Source.NETLINK, Source.PROC})
"""What the kernel can be asked for."""

_T = TypeVar("_T")
_log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelReading:
    """What the kernel said, as far as it did, and when that was done (the clock's monotonic time)."""

    statistics: Statistics | None = None
    info: KernelInfo | None = None
    sources: Mapping[Source, SourceRun]
    ended: float


class KernelReader:
    """The only caller of ``backend``, one reading at a time.  Its methods belong to one event loop.

    A reading has a daemon thread of its own: a kernel that never answers keeps neither the loop nor the end of the
    process waiting, only those who asked, and those no longer than they said.
    """

    def __init__(self, *, backend: IpvsBackend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._readings: dict[frozenset[Source], Future[KernelReading]] = {}
        self._turn = Lock()
        self._problems: dict[Source, str] = {}
        self._closed = False

    async def read(self, *, within_s: float, sources: frozenset[Source] = KERNEL) -> KernelReading:
        """A reading that ended less than ``REUSE_S`` ago or ends within ``within_s``, else one that failed.

        It has ``sources``, of ``KERNEL``, and may have others.
        """
        if self._closed:
            return _no_answer(0.0, sources)
        waiting = asyncio.wrap_future(self._serving(sources) or self._start(sources))
        done, _ = await asyncio.wait([waiting], timeout=within_s)
        return waiting.result() if done and not waiting.cancelled() else _no_answer(within_s, sources)

    def close(self) -> None:
        """End the waiting of all requests now, and of all that come later."""
        self._closed = True
        for reading in self._readings.values():
            reading.cancel()

    def _serving(self, sources: frozenset[Source]) -> Future[KernelReading] | None:
        """A reading of ``sources`` that is still under way, or has just ended."""
        readings = (reading for asked, reading in self._readings.items() if asked >= sources)
        return next((reading for reading in readings if self._serves(reading)), None)

    def _serves(self, reading: Future[KernelReading]) -> bool:
        if not reading.done():
            return True
        return not reading.cancelled() and self._clock.monotonic() - reading.result().ended < REUSE_S

    def _start(self, sources: frozenset[Source]) -> Future[KernelReading]:
        self._readings[sources] = future = Future[KernelReading]()
        Thread(target=self._read, args=(future, sources), name="kernel-reading", daemon=True).start()
        return future

    def _read(self, future: Future[KernelReading], sources: frozenset[Source]) -> None:
        with self._turn:
            reading = self._reading(sources)
        if future.set_running_or_notify_cancel():
            future.set_result(reading)

    def _reading(self, sources: frozenset[Source]) -> KernelReading:
        runs: dict[Source, SourceRun] = {}
        statistics = info = None
        if Source.NETLINK in sources:
            statistics, runs[Source.NETLINK] = self._attempt(self._backend.read_statistics, Source.NETLINK)
        if Source.PROC in sources:
            info, runs[Source.PROC] = self._attempt(self._backend.read_info, Source.PROC)
        if statistics is not None and info is not None and not info.estimates:
            statistics = statistics.without_rates()
        return KernelReading(statistics=statistics, info=info, sources=runs, ended=self._clock.monotonic())

    def _attempt(self, ask: Callable[[], _T], source: Source) -> tuple[_T | None, SourceRun]:
        started = self._clock.monotonic()
        answer, problem = None, ""
        try:
            answer = ask()
        except IpvsError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one source, the others must be seen
            problem = f"{type(error).__name__}: {error}"
        self._tell(source, problem)
        return answer, SourceRun(success=not problem, duration_s=self._clock.monotonic() - started)

    def _tell(self, source: Source, problem: str) -> None:
        """Log a problem when it comes and when it goes, not with each scrape."""
        if problem == self._problems.get(source, ""):
            return
        self._problems[source] = problem
        if problem:
            _log.warning("kernel_not_read", collector=source.value, error=problem)
        else:
            _log.info("kernel_read_again", collector=source.value)


def _no_answer(waited_s: float, sources: frozenset[Source]) -> KernelReading:
    run = SourceRun(success=False, duration_s=waited_s)
    return KernelReading(sources=dict.fromkeys(sources, run), ended=0.0)

"""GET /metrics: what a client asks for, bodies that were just made for another client, and new ones, made in a thread.

A body is made family by family, and each is compressed before the next is written.  Compression runs without the
interpreter's lock, so that the checks never wait for more than one family.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lvs_agent.clock import Clock
from lvs_agent.config import MetricsSettings
from lvs_agent.core.snapshot import Snapshot
from lvs_agent.log import get_logger
from lvs_agent.metrics.exposition import Exposition, Plain
from lvs_agent.metrics.reading import Reading, Source, SourceRun
from lvs_agent.metrics.selection import Filters, UnknownFilter, parse_filters, select
from lvs_agent.view.series_index import IndexCache
from lvs_agent.web.kernel import REUSE_S, KernelReader, KernelReading
from lvs_agent.web.packing import Gzip, takes_gzip
from lvs_agent.web.sources import Sources

SCRAPE_TIMEOUT_S = 10.0
"""Prometheus' default, for clients that do not say how long they wait."""
SCRAPE_RESERVE_S = 0.5
"""What is left of a scrape's time after the kernel, for rendering and the way back."""

_NOT_ASKED = KernelReading(sources={}, ended=0.0)
_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a client asks for: clients that ask for the same get the same body."""

    accept: str
    compress: bool
    filters: Filters
    settings: MetricsSettings


@dataclass(frozen=True, slots=True)
class _Body:
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Making:
    """A body that is being made since ``began`` (the clock's monotonic time), or was, and from what."""

    kernel: KernelReading
    began: float
    body: asyncio.Future[_Body]


class Scrapes:
    """Answers scrapes.  ``executor`` does the rendering.  Its methods belong to one event loop."""

    def __init__(self, *, sources: Sources, kernel: KernelReader, clock: Clock, executor: Executor) -> None:
        self._sources = sources
        self._kernel = kernel
        self._clock = clock
        self._executor = executor
        self._exposition = Exposition()
        self._with_table, self._without_table = IndexCache(), IndexCache()
        self._makings: dict[_Wish, _Making] = {}
        self._problem = ""

    async def answer(self, request: Request) -> Response:
        """The metrics.  Raises HTTPException where a filter means nothing."""
        try:
            filters = parse_filters(request.query_params.multi_items())
        except UnknownFilter as error:
            raise HTTPException(400, str(error)) from error
        wish = _Wish(
            accept=request.headers.get("accept", ""),
            compress=takes_gzip(request.headers.get("accept-encoding", "")),
            filters=filters,
            settings=self._sources.metrics(),
        )
        wait_s = patience(request.headers.get("x-prometheus-scrape-timeout-seconds", ""))
        body = await asyncio.shield(self._body(wish, await self._ask(wish, within_s=wait_s)))
        headers = {"content-type": body.content_type, "vary": "Accept, Accept-Encoding"}
        if wish.compress:
            headers["content-encoding"] = "gzip"
        return Response(body.content, headers=headers)

    async def _ask(self, wish: _Wish, *, within_s: float) -> KernelReading:
        asked = select(wish.settings, wish.filters).sources - {Source.STATE}
        return await self._kernel.read(within_s=within_s, sources=asked) if asked else _NOT_ASKED

    def _body(self, wish: _Wish, kernel: KernelReading) -> asyncio.Future[_Body]:
        """The body that is being made of the same reading for another client that asks for the same, else a new one."""
        now = self._clock.monotonic()
        making = self._makings.get(wish)
        if making is None or making.kernel is not kernel or not _serves(making, now):
            loop = asyncio.get_running_loop()
            body = loop.run_in_executor(self._executor, self._make, wish, kernel)
            self._makings[wish] = making = _Making(kernel, now, body)
            body.add_done_callback(lambda _: loop.call_later(REUSE_S, self._forget, wish, body))
        return making.body

    def _forget(self, wish: _Wish, body: asyncio.Future[_Body]) -> None:
        """Give back the memory of a body that nobody gets any more."""
        if wish in self._makings and self._makings[wish].body is body:
            del self._makings[wish]

    def _make(self, wish: _Wish, kernel: KernelReading) -> _Body:
        """In a thread of the executor."""
        selection = select(wish.settings, wish.filters)
        started = self._clock.monotonic()
        snapshot = self._snapshot()
        state = SourceRun(success=snapshot is not None, duration_s=self._clock.monotonic() - started)
        runs = {Source.STATE: state, **kernel.sources}
        statistics = kernel.statistics if Source.NETLINK in selection.sources else None
        reading = Reading(
            snapshot=snapshot,
            statistics=statistics,
            info=kernel.info,
            sources={source: run for source, run in runs.items() if source in selection.sources},
            indexes=self._with_table if statistics else self._without_table,
        )
        packer = Gzip() if wish.compress else Plain()
        page = self._exposition.render(reading, accept=wish.accept, selection=selection, packer=packer)
        return _Body(page.content_type, page.body)

    def _snapshot(self) -> Snapshot | None:
        """What the agent knows; None where that fails, with a line in the log the first time."""
        try:
            snapshot = self._sources.snapshot()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one source, the others must be seen
            if not self._problem:
                _log.error("state_not_read", error=error, exc_info=True)
            self._problem = str(error)
            return None
        self._problem = ""
        return snapshot


def _serves(making: _Making, now: float) -> bool:
    """It is still being made, or was begun a moment ago."""
    if not making.body.done():
        return True
    failed = making.body.cancelled() or making.body.exception() is not None
    return not failed and now - making.began < REUSE_S


def patience(header: str) -> float:
    """Seconds that a scrape may wait for the kernel, given its ``X-Prometheus-Scrape-Timeout-Seconds``."""
    try:
        timeout_s = float(header)
    except ValueError:
        timeout_s = SCRAPE_TIMEOUT_S
    if not 0 < timeout_s < float("inf"):
        timeout_s = SCRAPE_TIMEOUT_S
    return max(timeout_s - SCRAPE_RESERVE_S, timeout_s / 2)

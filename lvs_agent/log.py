"""Structured logging: each event is one line on standard error, with a constant name and facts as keys.

Everything is logged with structlog, which only this module uses.  Messages that libraries log with ``logging`` are
passed on from the level warning up.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, TextIO, cast

# structlog imports rich if it is installed, for tracebacks on a terminal, which this program never writes.  That would
# be a large part of the agent's start time; with None in ``sys.modules`` rich counts as missing.
_rich_is_hidden = "rich" not in sys.modules
if _rich_is_hidden:
    sys.modules["rich"] = None  # type: ignore[assignment] # the import system then raises ModuleNotFoundError

import structlog  # noqa: E402 - see above
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger  # noqa: E402

from lvs_agent.one_line import one_line  # noqa: E402

if _rich_is_hidden:
    del sys.modules["rich"]


class LogFormat(Enum):
    """How a line is written: ``key=value`` pairs, or one JSON object."""

    LOGFMT = "logfmt"
    JSON = "json"


class LogLevel(Enum):
    """The lowest level of lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LEVELS = (*(level.value for level in LogLevel), "critical")
"""The levels by which lines are counted."""


class MessageCounts:
    """Counts the lines that were logged, by level; a structlog processor that passes everything on."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(LEVELS, 0)

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        level = event.get("level", method)
        if level in self._counts:
            self._counts[level] += 1
        return event

    def read(self) -> Mapping[str, int]:
        """The current counts, with every level."""
        return dict(self._counts)


def get_logger() -> FilteringBoundLogger:
    """The logger of a module.  It may be made before ``configure`` is called, and uses its settings afterwards."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def configure(*, form: LogFormat, level: LogLevel, stream: TextIO | None = None) -> MessageCounts:
    """Send every line of ``level`` and above to ``stream`` (standard error), and count them."""
    counts = MessageCounts()
    renderer: Any
    if form is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            counts,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _plain_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Lossy(stream or sys.stderr))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Bridge(level=logging.WARNING)], level=logging.WARNING, force=True)
    return counts


class _Lossy:
    """A stream that drops lines if writing fails: a broken log must not end the agent."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def _plain_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Convert keys, addresses and enums to the texts that are used everywhere else; a line stays one line."""
    return {key: _plain(value) for key, value in event.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6)
    text = str(value.value if isinstance(value, Enum) else value)
    return one_line(text if text.isprintable() else " | ".join(text.splitlines()))


class _Bridge(logging.Handler):
    """Passes records of the standard library's ``logging`` on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        get_logger().log(
            getattr(logging, level.upper(), logging.WARNING),
            "library_message",
            library=record.name,
            text=record.getMessage(),
        )

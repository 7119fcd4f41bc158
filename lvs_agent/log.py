"""Structured logging: one event in a few constant words, facts as keys, one line each on standard error.

Everything goes through structlog, which only this module knows; what libraries write through ``logging`` is passed on
from warnings up.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, TextIO, cast

# structlog imports rich where it is installed, for tracebacks on a terminal, which this program never writes.  That
# would be a good part of the time that the agent needs to start; with None in its place rich counts as missing.
_rich_is_hidden = "rich" not in sys.modules
if _rich_is_hidden:
    sys.modules["rich"] = None  # type: ignore[assignment] # the import system's own sign for "not to be found"

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
    """The least important kind of line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LEVELS = (*(level.value for level in LogLevel), "critical")
"""What lines are counted by."""


class MessageCounts:
    """How many lines were logged, by level; a structlog processor that passes everything on."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(LEVELS, 0)

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        level = event.get("level", method)
        if level in self._counts:
            self._counts[level] += 1
        return event

    def read(self) -> Mapping[str, int]:
        """The counts at this moment; every level is there."""
        return dict(self._counts)


def get_logger() -> FilteringBoundLogger:
    """What a module logs with; it may be had before ``configure`` has been called, and follows it then."""
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
    """A stream that loses lines where nobody takes them: a broken log must not end what keeps services running."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def _plain_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keys, addresses and enums become the words that everything else shows too; a line stays one line."""
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

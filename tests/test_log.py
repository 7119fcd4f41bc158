from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.health import Health
from lvs_agent.log import LEVELS, LogFormat, LogLevel, MessageCounts, configure
from tests.builders import service_key
from tests.global_log import same_log
from tests.process.agent import parse_logfmt


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is global: every test leaves it as it was."""
    with same_log():
        yield


def written(*, form: LogFormat = LogFormat.LOGFMT, level: LogLevel = LogLevel.INFO, **facts: object) -> str:
    """The one line of an event with ``facts``."""
    stream = io.StringIO()
    configure(form=form, level=level, stream=stream)
    structlog.get_logger().warning("something_happened", **facts)
    return stream.getvalue()


def test_line_begins_with_time_level_and_event() -> None:
    """In an order that eyes can follow."""
    line = written(zone="a", address=1)

    assert [pair.partition("=")[0] for pair in line.split()] == ["timestamp", "level", "event", "zone", "address"]
    assert parse_logfmt(line.rstrip("\n"))["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", LogFormat)
def test_values_are_the_words_that_everything_shows(form: LogFormat) -> None:
    """Enums by value, addresses, keys and paths as text, nothing for what there is not."""
    line = written(
        form=form,
        health=Health.UP,
        address=ip_address("2001:db8::1"),
        service=service_key(),
        path=Path("/etc/x"),
        missing=None,
        duration_s=0.12345678,
    )
    facts = json.loads(line) if form is LogFormat.JSON else parse_logfmt(line.rstrip("\n"))

    assert (facts["health"], facts["address"], facts["path"]) == ("up", "2001:db8::1", "/etc/x")
    assert facts["service"] == "tcp/192.0.2.1:80"
    assert float(facts["duration_s"]) == 0.123457
    assert "missing" not in facts


@pytest.mark.parametrize("form", LogFormat)
def test_numbers_and_truth_are_told_as_such(form: LogFormat) -> None:
    """JSON has types for them, logfmt the words."""
    line = written(form=form, number=3, truth=True)
    expected = '"number": 3, "truth": true' if form is LogFormat.JSON else "number=3 truth=true"

    assert expected in line


@pytest.mark.parametrize("form", LogFormat)
@given(text=st.text())
def test_event_is_one_line_whatever_is_in_it(form: LogFormat, text: str) -> None:
    """What a server says cannot begin a line of its own, and the line can be read back."""
    line = written(form=form, detail=text)

    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    assert (json.loads if form is LogFormat.JSON else parse_logfmt)(line.rstrip("\n"))


def test_traceback_is_in_the_line_of_its_event() -> None:
    """A crash is one event too."""
    stream = io.StringIO()
    configure(form=LogFormat.LOGFMT, level=LogLevel.INFO, stream=stream)
    try:
        int("gone")
    except ValueError:
        structlog.get_logger().exception("task_failed")

    assert len(stream.getvalue().splitlines()) == 1
    assert "ValueError: invalid literal" in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (LogLevel.DEBUG, ["debug", "info", "warning", "error", "critical"]),
        (LogLevel.INFO, ["info", "warning", "error", "critical"]),
        (LogLevel.WARNING, ["warning", "error", "critical"]),
        (LogLevel.ERROR, ["error", "critical"]),
    ],
)
def test_lines_are_written_and_counted_from_their_level_up(level: LogLevel, expected: list[str]) -> None:
    """What is counted is what is written."""
    stream = io.StringIO()
    counts = configure(form=LogFormat.JSON, level=level, stream=stream)
    log = structlog.get_logger()
    for name in LEVELS:
        getattr(log, name)("something_happened")

    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == expected
    assert counts.read() == {name: int(name in expected) for name in LEVELS}


def test_counts_know_every_level_from_the_start() -> None:
    """A metric has a row for each, and a copy does not change later."""
    counts = MessageCounts()
    before = counts.read()
    counts(None, "info", {"level": "info", "event": "x"})
    counts(None, "exotic", {"level": "exotic", "event": "x"})

    assert before == dict.fromkeys(LEVELS, 0)
    assert counts.read() == {**before, "info": 1}


def test_library_messages_are_lines_of_ours_from_warnings_up() -> None:
    """With their library's name, in the same form, counted."""
    stream = io.StringIO()
    counts = configure(form=LogFormat.JSON, level=LogLevel.DEBUG, stream=stream)
    logging.getLogger("some.library").info("not this")
    logging.getLogger("some.library").error("but %s", "that")
    (line,) = map(json.loads, stream.getvalue().splitlines())

    assert (line["event"], line["level"]) == ("library_message", "error")
    assert (line["library"], line["text"]) == ("some.library", "but that")
    assert counts.read()["error"] == 1

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from lvs_agent.clock import ManualClock
from lvs_agent.control.journal import Journal
from lvs_agent.control.reporting import Reporter
from lvs_agent.model.check import FailureReason
from lvs_agent.model.event import EventKind, EventQuery
from tests.builders import NOW


@pytest.fixture
def journal() -> Journal:
    """An empty journal."""
    return Journal(clock=ManualClock(now=NOW))


def test_one_call_tells_log_and_journal_the_same(journal: Journal) -> None:
    """The same event with the same subjects and facts; the journal has them as plain values."""
    with capture_logs() as lines:
        Reporter(journal).report(
            EventKind.SERVER_DOWN,
            virtual_service="web",
            real_server="10.0.0.1:80",
            at=NOW - 1,
            log_only={"path": Path("/etc/x")},
            reason=FailureReason.REFUSED,
            error=OSError("no"),
            detail=None,
        )
    (line,), (event,) = lines, journal.select(EventQuery())

    assert (line["event"], line["log_level"]) == ("real_server_down", "warning")
    assert (line["virtual_service"], line["real_server"]) == ("web", "10.0.0.1:80")
    assert (line["reason"], line["path"]) == (FailureReason.REFUSED, Path("/etc/x"))
    assert (event.kind, event.at) == (EventKind.SERVER_DOWN, NOW - 1)
    assert (event.virtual_service, event.real_server) == ("web", "10.0.0.1:80")
    assert event.facts == {"reason": FailureReason.REFUSED.value, "error": "no"}


def test_event_about_no_service_names_none(journal: Journal) -> None:
    """The line has no empty keys."""
    with capture_logs() as lines:
        Reporter(journal).report(EventKind.TABLE_READ_AGAIN, after_s=1.5)

    assert lines == [{"event": "table_read_again", "log_level": "info", "after_s": 1.5}]


def test_what_an_earlier_process_knew_is_a_line_only(journal: Journal) -> None:
    """The journal of the night is about what has changed."""
    with capture_logs() as lines:
        Reporter(journal).report(EventKind.SERVER_UP, virtual_service="web", news=False)

    assert [line["event"] for line in lines] == ["real_server_up"]
    assert journal.select(EventQuery()) == ()


def test_failed_call_is_an_error(journal: Journal) -> None:
    """One kind of event may be good news or bad; the level says which."""
    with capture_logs() as lines:
        for failed in (False, True):
            Reporter(journal).report(EventKind.SORRY_COMMAND, virtual_service="web", failed=failed)

    assert [line["log_level"] for line in lines] == ["info", "error"]

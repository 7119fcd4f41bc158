from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.ldirectord.monitor_line import (
    IN_MAINTENANCE,
    LONGEST_MESSAGE,
    MonitorEntry,
    entry_of,
    formatted,
    label_of,
    monitor_line,
)
from lvs_agent.model.check import (
    CheckResult,
    Disconnection,
    Errored,
    ErrorReason,
    Failed,
    FailureReason,
    HttpFacts,
    Passed,
)
from lvs_agent.model.ipvs import ForwardingMethod
from tests.builders import check_spec, fwmark_key, real_server, report, service, virtual_service

WHEN = datetime(2026, 3, 5, 2, 2, 57)  # noqa: DTZ001 - local time, as lines have it
LINE = re.compile(r"\[\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\] \[\d+\] (.*) \[(?:up|down)\] (.+)")


def line(message: str = "", *, up: bool = True, label: str = "negotiate http tcp 10.0.0.1 80 1 gate /") -> str:
    """A line of process 3978."""
    return formatted(when=WHEN, pid=3978, label=label, entry=MonitorEntry(up=up, message=message))


def test_line_is_ldirectords() -> None:
    """Time as in C, process, label, word and message, each where scripts look for it."""
    assert line("200 OK") == "[Thu Mar  5 02:02:57 2026] [3978] negotiate http tcp 10.0.0.1 80 1 gate / [up] 200 OK"
    assert line(up=False, label="ping") == "[Thu Mar  5 02:02:57 2026] [3978] ping [down] -"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        pytest.param("a|b%c\r\nd", "a%7cb%25c%0d%0ad", id="as ldirectord"),
        pytest.param("tab\tand ünïcode ✓", "tab\tand ünïcode ✓", id="printable"),
        pytest.param("\x1b[31m\x00\u2028\udc80", "%1b[31m%00%e2%80%a8%ed%b2%80", id="what steers terminals"),
        pytest.param("", "-", id="nothing"),
        pytest.param("x" * 2_000, "x" * LONGEST_MESSAGE, id="long"),
    ],
)
def test_message_is_escaped(message: str, shown: str) -> None:
    """A line stays one line, and ``|`` is free to separate fields."""
    assert line(message).partition("] ")[2].partition("[up] ")[2] == shown


@given(message=st.text(), label=st.text())
def test_every_line_is_one_line_of_the_format(message: str, label: str) -> None:
    """Whatever servers answer and operators write, each line can be read."""
    text = line(message, label=label)

    assert LINE.fullmatch(text)
    assert text.splitlines() == [text]
    text.encode()


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=50))
def test_message_can_be_had_back(message: str) -> None:
    """Percent-decoding gives what was escaped."""
    shown = line(message).partition("[up] ")[2]
    decoded = re.sub(rb"%([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), shown.encode())

    assert decoded.decode() == message


NOWHERE = "500 Can't connect to 10.0.0.1:80"


@pytest.mark.parametrize(
    ("reason", "detail", "facts", "message"),
    [
        (FailureReason.STATUS, "in words", HttpFacts(404), "404 Not Found"),
        (FailureReason.STATUS, "in words", HttpFacts(503, "Backend fetch failed"), "503 Backend fetch failed"),
        (FailureReason.STATUS, "in words", HttpFacts(599), "599 Unknown code"),
        (FailureReason.STATUS, "redirect to https", None, "redirect to https"),
        (FailureReason.STATUS, "/a: status 404", None, "/a: status 404"),
        (FailureReason.CONTENT, "5 bytes of body without it", None, "5 bytes of body without it"),
        (FailureReason.CONNECT_TIMEOUT, "no connection within 2 s", None, "500 Timeout Alarm"),
        (FailureReason.READ_TIMEOUT, "no response headers within 2 s", None, "500 Timeout Alarm"),
        (FailureReason.REFUSED, "connection refused", None, f"{NOWHERE} (Connection refused)"),
        (FailureReason.UNREACHABLE, "no route to host", None, f"{NOWHERE} (No route to host)"),
        (FailureReason.TLS, "certificate verify failed", None, f"{NOWHERE} (certificate verify failed)"),
        (
            FailureReason.PROTOCOL,
            "in words",
            HttpFacts(disconnection=Disconnection.CLOSED),
            "500 Server closed connection without sending any data back",
        ),
        (
            FailureReason.PROTOCOL,
            "in words",
            HttpFacts(disconnection=Disconnection.RESET),
            "500 Status read failed: Connection reset by peer",
        ),
        (FailureReason.PROTOCOL, "not an HTTP/1 response: 'x'", None, "500 not an HTTP/1 response: 'x'"),
    ],
)
@pytest.mark.parametrize("kind", ["http", "https"])
def test_failure_of_http_is_told_as_perls_library_tells_it(
    kind: str, reason: FailureReason, detail: str, facts: HttpFacts | None, message: str
) -> None:
    """The status line that came, or one with status 500 for what went wrong before one came."""
    assert entry_of(check_spec(kind=kind), Failed(reason, detail, http=facts)) == MonitorEntry(
        up=False, message=message
    )


@pytest.mark.parametrize(
    ("kind", "result", "message"),
    [
        ("http", Passed("in words", http=HttpFacts(200)), "200 OK"),
        ("https", Passed("in words", 17.0, http=HttpFacts(204)), "204 No Content"),
        ("http", Passed("connected"), ""),
        ("http2", Passed("status 200", http=HttpFacts(200)), ""),
        ("tcp", Passed("connected"), ""),
        ("tcp", Failed(FailureReason.REFUSED, "connection refused"), ""),
        ("command", Passed("all well"), ""),
        ("command", Failed(FailureReason.EXEC, "exit status 1: not well"), ""),
        ("ping", Passed(), ""),
        ("ping", Failed(FailureReason.READ_TIMEOUT, "no echo reply within 2 s"), "no echo reply within 2 s"),
        ("none", Passed("always up by configuration"), ""),
    ],
)
def test_other_results_say_as_much_as_ldirectord_says(kind: str, result: CheckResult, message: str) -> None:
    """A status where there is one, nothing for plain checks, and a reason where ldirectord has no line at all."""
    assert entry_of(check_spec(kind=kind), result) == MonitorEntry(up=isinstance(result, Passed), message=message)


def test_ipv6_server_is_named_with_brackets() -> None:
    """Address and port can be told apart."""
    spec = check_spec(address="2001:db8::1", port=443, kind="https")
    said = entry_of(spec, Failed(FailureReason.REFUSED, "connection refused"))

    assert said is not None
    assert said.message == "500 Can't connect to [2001:db8::1]:443 (Connection refused)"


def test_probe_that_could_not_be_made_has_no_line() -> None:
    """Our own faults say nothing about a server."""
    assert entry_of(check_spec(), Errored(ErrorReason.NO_ROUTE, "network is unreachable")) is None


def test_maintenance_is_told_as_ldirectord_tells_it() -> None:
    """Down, with these words."""
    assert line(IN_MAINTENANCE.message, up=IN_MAINTENANCE.up).endswith("[down] Server in maintenance")


def test_label_is_the_servers_own_or_made_of_what_it_is() -> None:
    """What the configuration gives counts as it is; otherwise check, protocol and row stand for the server."""
    server = real_server(weight=3, forwarding=ForwardingMethod.MASQUERADE)

    assert label_of(virtual_service(), server, check_spec(kind="tcp")) == "tcp tcp 10.0.0.1 80 3 masquerade"
    marked = virtual_service(service=service(key=fwmark_key()))
    assert label_of(marked, real_server(), check_spec()) == "http fwm 10.0.0.1 80 1 direct"


@pytest.mark.parametrize(
    ("result", "in_maintenance", "line"),
    [
        pytest.param(Passed("status 200", http=HttpFacts(200)), False, " web one [up] 200 OK", id="passed"),
        pytest.param(
            Failed(FailureReason.STATUS, "status 404", http=HttpFacts(404)), False, " web one [down] 404 Not Found",
            id="failed",
        ),
        pytest.param(
            Passed("status 200", http=HttpFacts(200)), True, " web one [down] Server in maintenance",
            id="in maintenance",
        ),
    ],
)  # fmt: skip
def test_report_is_a_line(*, result: CheckResult, in_maintenance: bool, line: str) -> None:
    """With the time of the probe, and our process."""
    server = replace(real_server(), monitor_label="web one")
    made = monitor_line(
        report(result=result), check_spec(), service=virtual_service(), server=server, in_maintenance=in_maintenance
    )

    stamp = re.compile(rf"\[(Tue|Wed) Nov 1[45] \d\d:\d\d:20 2023\] \[{os.getpid()}\]")
    assert stamp.sub("", made or "") == line


def test_report_of_our_own_fault_is_no_line() -> None:
    """Also in maintenance: nothing was learned about the server."""
    late = report(result=Errored(ErrorReason.LATE, "our loop was late"))

    assert not monitor_line(late, check_spec(), service=virtual_service(), server=real_server(), in_maintenance=True)

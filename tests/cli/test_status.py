from __future__ import annotations

import io
import json
import socket
import threading
from typing import Literal

import click
import pytest
from rich.console import Console

from lvs_agent.cli.client import AgentClient
from lvs_agent.cli.status import fetch_status, only, render_status, show_status
from lvs_agent.clock import SystemClock
from lvs_agent.errors import NoAnswer
from lvs_agent.model.check import CheckId, Failed, FailureReason
from lvs_agent.web.document import StatusDocument
from lvs_agent.web.server import WebServer, bind
from lvs_agent.web.sources import Sources
from lvs_agent.web.status import status_document
from tests.builders import check_status, report, snapshot, statistics, virtual_service
from tests.cli.agents import answering
from tests.web.showcase import showcase_backend, showcase_events, showcase_snapshot
from tests.web.worlds import world_backend, world_snapshot


def world() -> StatusDocument:
    """The status of a world with everything in it."""
    return status_document(world_snapshot(), world_backend().read_statistics())


def rendered(document: StatusDocument, *, terminal: bool = False, width: int = 200) -> str:
    """What is printed."""
    out = io.StringIO()
    system: Literal["standard", "auto"] = "standard" if terminal else "auto"
    console = Console(file=out, force_terminal=terminal, width=width, color_system=system, highlight=False)
    render_status(document, console=console)
    return out.getvalue()


def test_status_of_a_running_agent_is_fetched_whole() -> None:
    """What comes out is what the agent says; the URL may be written in several ways."""
    server = WebServer(
        listener=bind(("127.0.0.1", 0)),
        sources=Sources(snapshot=world_snapshot, vitals=lambda: world_snapshot().vitals),
        backend=world_backend(),
        clock=SystemClock(),
    )
    server.start()
    server.wait_until_serving(10.0)
    try:
        documents = [
            fetch_status(AgentClient(f"http://{server.address}{tail}", timeout=5.0))
            for tail in ("", "/", "/api/v1/status")
        ]
    finally:
        server.stop()

    assert documents == [world()] * 3


def test_nobody_listening_is_one_clear_line() -> None:
    """The message names the URL and what to look at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(NoAnswer, match=rf"^{url} cannot be reached \(.*\): is lvs-agent running there\?"):
            fetch_status(AgentClient(url, timeout=5.0))


def test_silence_ends_at_the_time_limit() -> None:
    """A host that accepts and says nothing does not hold the command up."""
    with bind(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NoAnswer, match=rf"^{url} did not answer within 0.2 s"):
            fetch_status(AgentClient(url, timeout=0.2))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        pytest.param(404, b"no", "answers with status 404", id="another server"),
        pytest.param(200, b"<html>", "does not answer with the status of an lvs-agent", id="not JSON"),
        pytest.param(200, b'{"schema": 1}', "does not answer with the status of an lvs-agent", id="another document"),
        pytest.param(
            200, json.dumps({**world(), "schema": 2}).encode(), "status of version 2, not 1", id="another version"
        ),
    ],
)
def test_something_else_on_that_port_is_recognised(status: int, body: bytes, words: str) -> None:
    """An answer that is not an agent's is refused in one line."""
    with answering(body, status=status) as url, pytest.raises(NoAnswer) as caught:
        fetch_status(AgentClient(url, timeout=5.0))

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["gopher://127.0.0.1", "127.0.0.1:1", "http://[", ""])
def test_url_that_is_none_is_one_clear_line(url: str) -> None:
    """A mistyped URL causes no traceback."""
    with pytest.raises(NoAnswer):
        fetch_status(AgentClient(url, timeout=1.0))


def test_service_that_speaks_no_http_is_one_clear_line() -> None:
    """An SSH server on that port is told apart too."""
    with bind(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def talk() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        with pytest.raises(NoAnswer, match=rf"^{url} does not answer like an lvs-agent"):
            fetch_status(AgentClient(url, timeout=5.0))
        thread.join()


def test_status_is_printed_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Piped into another program it is plain text."""
    show_status(world())

    assert capsys.readouterr().out == rendered(world())


def test_service_that_the_kernel_does_not_have_is_told() -> None:
    """The kernel was asked, and has no such service."""
    document = status_document(snapshot(services=[virtual_service()]), statistics())

    assert "not in the kernel's table" in rendered(document)


def test_fields_of_a_newer_agent_are_no_error() -> None:
    """Fields may be added without a new version."""
    with answering(json.dumps({**world(), "novelty": 1}).encode()) as url:
        assert fetch_status(AgentClient(url, timeout=5.0))["services"] == world()["services"]


def test_plain_text_for_other_programs() -> None:
    """Without a terminal: no colour, no wrapped line, however narrow the default is."""
    text = rendered(world(), width=40)

    assert "\x1b" not in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "well up pooled 1 1 152 2310 - - - 2023-11-14 22:12:20Z, 60 s http passed, 10.0 ms" in lines
    last = "http failed status (status 503 <b>&</b>), 12.3 ms"
    assert f"broken down removed - - - - - - - 2023-11-14 22:12:49Z, 30 s {last}" in lines
    assert "10.0.0.77:80 foreign unexpected - 1 0 0 0 0 B/s 0 B/s" in lines
    assert "172.16.0.9:0 direct 7 0 0 0 0 B/s 0 B/s" in lines


def test_rates_and_transitions_are_told() -> None:
    """What is forwarded now, in steps of a thousand, and what changed last, the newest first."""
    shown = rendered(showcase())
    lines = [" ".join(line.split()) for line in shown.splitlines()]

    assert "shop tcp/203.0.113.10:443 wlc persistent · 3 of 5 up · 825 new/s, in 4.0 MB/s, out 0 B/s" in shown
    assert (
        "web5 maintenance maintenance 0 0 0 0 0 0 B/s 0 B/s up 2023-11-13 21:13:20Z, 25 h https passed, 7.2 ms" in lines
    )
    recent = lines[lines.index("CHANGED LAST") + 1 :]
    assert recent[0] == "2023-11-14 22:11:49Z api3 of api went down: http2 check failed (connection refused)"
    assert len(recent) == 8


def test_what_the_kernel_does_not_tell_is_a_dash() -> None:
    """Without estimates there are no rates, without a reading no connections either."""
    told = showcase_backend().read_statistics().without_rates()
    without_rates = rendered(status_document(showcase_snapshot(), told))
    unread = rendered(status_document(showcase_snapshot(), None))

    assert "new/s" not in without_rates + unread
    assert "ns1 up pooled 10 10 10982 5491 - - - " in " ".join(without_rates.split())
    assert "ns1 up pooled 10 10 - - - - - " in " ".join(unread.split())


def test_only_the_services_that_were_asked_for_are_shown() -> None:
    """By name or by key, with what happened to them and to no others."""
    document = only(("dns", "tcp/203.0.113.11:443", "fwm/7/inet"), showcase())

    assert [one["name"] for one in document["services"]] == ["api", "dns"]
    assert [one["name"] for one in document["foreign_services"]] == ["fwm/7/inet"]
    assert {one["virtual_service"] for one in document["recent"]} == {"api"}
    assert only((), showcase()) == showcase()


@pytest.mark.parametrize(("name", "words"), [("shopp", "did you mean shop?"), ("?", "known are shop, api, intranet")])
def test_service_that_nobody_knows_is_an_error(name: str, words: str) -> None:
    """It names what was probably meant, or what there is."""
    with pytest.raises(click.UsageError) as caught:
        only(("dns", name), showcase())

    assert f"there is no virtual service {name!r}" in caught.value.message
    assert words in caught.value.message


def showcase() -> StatusDocument:
    """The status of the director in the documentation's pictures."""
    return status_document(showcase_snapshot(), showcase_backend().read_statistics(), recent=showcase_events())


def test_columns_are_aligned() -> None:
    """Words begin where their heading begins."""
    lines = rendered(world()).splitlines()
    heading = next(number for number, line in enumerate(lines) if line.startswith("REAL SERVER"))
    state = lines[heading].index("STATE")

    assert [line[state:].split()[0] for line in lines[heading + 1 : heading + 4]] == ["up", "down", "unknown"]


def test_terminal_gets_colour_and_the_same_words() -> None:
    """Colour says nothing that the words do not say."""
    coloured = rendered(world(), terminal=True)

    assert "\x1b[1;31mdown" in coloured
    assert "sorry server active" in coloured
    assert "On call: <web> team" in coloured


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://no-color.org: the variable alone turns colour off, on a terminal too."""
    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b[32m" not in rendered(world(), terminal=True)
    assert "\x1b[1;31m" not in rendered(world(), terminal=True)


def test_narrow_terminal_still_shows_whole_names() -> None:
    """Eighty columns have no room for everything, but names and states are never cut short."""
    text = rendered(world(), terminal=True, width=80)

    for words in ("broken", "unknown", "10.0.0.99:80", "standby"):
        assert words in text
    assert "…" not in text


def test_problems_come_first() -> None:
    """What an operator must know stands above the services."""
    top = rendered(world()).partition("shop tcp")[0]

    assert "not ready: 1 of 4 checks have not run yet" in top
    assert "configuration not loaded: service.shop: no real server" in top
    assert "table not in sync: add service tcp/192.0.2.1:80: EPERM" in top


def test_answer_of_a_server_cannot_steer_the_terminal() -> None:
    """Control characters and markup in what a server sent are shown as such."""
    evil = check_status(last=report(result=Failed(FailureReason.CONTENT, "\x1b[2J[red]x[/red]\r")))
    shown = rendered(status_document(snapshot(services=[virtual_service()], checks={CheckId("check"): evil}), None))

    assert "\N{REPLACEMENT CHARACTER}[2J[red]x[/red]\N{REPLACEMENT CHARACTER}" in shown

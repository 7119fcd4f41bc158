from __future__ import annotations

import io
import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from lvs_agent.cli.events import DEFAULT_STATE_DIR, event_line
from lvs_agent.clock import SystemClock
from lvs_agent.config import load_config
from lvs_agent.control.journal import Journal
from lvs_agent.control.journal_store import FILE_NAME
from lvs_agent.core import event_line as lines
from lvs_agent.model.event import Event, EventKind
from lvs_agent.web.events import event_entry
from lvs_agent.web.server import WebServer, bind
from lvs_agent.web.sources import Sources
from tests.builders import NOW, snapshot
from tests.cli.commands import here
from tests.forkserver import COMMAND
from tests.web.worlds import world_backend

NIGHT = [
    Event(number=1, at=NOW, kind=EventKind.AGENT_STARTED, facts={"version": "1", "checks": 2, "virtual_services": 1}),
    Event(
        number=2,
        at=NOW + 3_600,
        kind=EventKind.SERVER_DOWN,
        virtual_service="web",
        real_server="10.0.0.1:80",
        facts={"check": "http", "reason": "content", "detail": "\x1b[2J[red]x[/red]\r"},
    ),
    Event(
        number=3,
        at=NOW + 7_200,
        kind=EventKind.TABLE_CHANGED_BY_OTHERS,
        virtual_service="dns",
        real_server="10.0.0.2:53",
        facts={"kind": "missing"},
    ),
]


@contextmanager
def agent(journal: Journal) -> Iterator[str]:
    """The URL of an agent that has noted what ``journal`` has."""
    server = WebServer(
        listener=bind(("127.0.0.1", 0)),
        sources=Sources(snapshot=snapshot, vitals=lambda: snapshot().vitals, events=journal.select),
        backend=world_backend(),
        clock=SystemClock(),
    )
    server.start()
    try:
        server.wait_until_serving(20.0)
        yield f"http://{server.address}"
    finally:
        server.stop()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration whose agent does not run, and the journal that it has left."""
    with bind(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE_NAME).write_bytes(b"".join(map(lines.event_line, NIGHT)))
    path = tmp_path / "config.toml"
    path.write_text(f'agent = {{ state_dir = "state", listen = "127.0.0.1:{port}" }}\n')
    return path


def test_agent_is_asked_and_answers_in_lines() -> None:
    """Time, kind and sentence, one event a line; the parameters narrow it."""
    journal = Journal(clock=SystemClock())
    journal.record(EventKind.SERVER_UP, virtual_service="web", real_server="10.0.0.1:80", at=NOW, check="http")
    journal.record(EventKind.SERVER_DOWN, virtual_service="web", real_server="10.0.0.1:80", check="http", reason="tls")
    journal.record(EventKind.AGENT_STOPPED, version="1")
    with agent(journal) as url:
        everything = here("events", "--url", url)
        narrowed = here(
            *("events", "--url", url, "--since", "1h", "--service", "web", "--server", "10.0.0.1"),
            *("--kind", "real_server_down", "--kind", "real_server_up", "--limit", "5"),
        )
        whole = here("events", "--url", url, "--json")
        nothing = here("events", "--url", url, "--service", "nobody")

    assert (everything.returncode, everything.stderr) == (0, "")
    assert everything.stdout.splitlines()[0] == (
        f"2023-11-14 22:13:20Z  {'real_server_up':24}  10.0.0.1:80 of web is up: http check passed"
    )
    assert len(everything.stdout.splitlines()) == 3
    (line,) = narrowed.stdout.splitlines()
    assert line.endswith("10.0.0.1:80 of web went down: http check failed (tls)")
    assert [entry["number"] for entry in json.loads(whole.stdout)["events"]] == [1, 2, 3]
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "no events\n")


def test_night_is_told_while_the_agent_is_down(site: Path) -> None:
    """Where nobody answers, the journal in the state directory does, and it is said that it does."""
    ended = here("events", "--config", site)
    narrowed = here("events", "--config", site, "--since", "2023-11-14T23:13:20Z", "--until", "2023-11-14T23:13:20Z")
    itself = here("events", "--state-dir", site.parent / "state", "--json")

    assert ended.returncode == 0
    assert ended.stderr == f"no agent answers; this is from {site.parent / 'state' / FILE_NAME}\n"
    assert [text.split(maxsplit=3)[2] for text in ended.stdout.splitlines()] == [event.kind.value for event in NIGHT]
    assert len(narrowed.stdout.splitlines()) == 1
    assert (json.loads(itself.stdout)["next"], itself.stderr) == (3, "")


def test_answer_of_a_server_cannot_steer_the_terminal(site: Path) -> None:
    """Control characters and markup are shown as such, whoever they come from."""
    shown = here("events", "--config", site, "--kind", "real_server_down").stdout

    assert shown.endswith("(\N{REPLACEMENT CHARACTER}[2J[red]x[/red]\N{REPLACEMENT CHARACTER})\n")


def test_another_agent_is_not_answered_for_by_the_journal_here(site: Path) -> None:
    """Who asks an address gets the answer from there, or none."""
    ended = here("events", "--url", "http://127.0.0.1:1", "--config", site)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "cannot be reached" in ended.stderr


def test_without_agent_and_journal_both_are_named(site: Path) -> None:
    """One line says where was looked, and how to look elsewhere."""
    (site.parent / "state" / FILE_NAME).unlink()
    ended = here("events", "--config", site)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert "cannot be reached" in ended.stderr
    assert f"{FILE_NAME} cannot be read (No such file or directory), see --state-dir" in ended.stderr


def test_journal_that_cannot_be_read_is_one_line(site: Path) -> None:
    """A directory instead of it is reported in the words of the system."""
    path = site.parent / "state" / FILE_NAME
    path.unlink()
    path.mkdir()
    ended = here("events", "--config", site)

    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "Is a directory" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "yesterday"], "--since='yesterday' must be a time like"),
        (["--kind", "real_server_dwon"], "'real_server_dwon' is not one of 'started'"),
        (["--limit", "0"], "0 is not in the range"),
        (["--follow", "--until", "1h"], "--follow and --until cannot be used together"),
        (
            ["--follow", "--state-dir", "/"],
            "--follow needs a running agent: it cannot be used together with --state-dir",
        ),
    ],
)
def test_wrong_options_are_told_before_anybody_is_asked(arguments: list[str], words: str) -> None:
    """Exit status 2, one line, and where to read more."""
    ended = here("events", "--url", "http://127.0.0.1:1", *arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr
    assert "lvs-agent events --help" in ended.stderr


def test_colour_only_repeats_the_kind() -> None:
    """On a terminal bad news is red; the words are the same."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=200, highlight=False)
    console.print(event_line(event_entry(NIGHT[1])), soft_wrap=True)

    assert "\x1b[1;31mreal_server_down" in out.getvalue()
    assert "went down: http check failed" in out.getvalue()


def test_following_shows_what_comes_once_through_a_restart(site: Path) -> None:
    """It begins with the journal, waits for the agent, and goes on when that is back with other numbers."""
    port = load_config(site).agent.listen.port
    journal = Journal(clock=SystemClock(), directory=site.parent / "state")
    with subprocess.Popen(
        [*COMMAND, "events", "--config", str(site), "--follow", "--json", "--kind", "real_server_down"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            from_file = json.loads(process.stdout.readline())
            server = WebServer(
                listener=bind(("127.0.0.1", port)),
                sources=Sources(snapshot=snapshot, vitals=lambda: snapshot().vitals, events=journal.select),
                backend=world_backend(),
                clock=SystemClock(),
            )
            server.start()
            try:
                journal.record(EventKind.SERVER_UP, real_server="a")
                journal.record(EventKind.SERVER_DOWN, real_server="b")
                one = json.loads(process.stdout.readline())
                journal.record(EventKind.SERVER_DOWN, real_server="c")
                two = json.loads(process.stdout.readline())
            finally:
                server.stop()
            process.send_signal(signal.SIGINT)
            status = process.wait(30)
        finally:
            process.kill()

    assert [from_file["number"], one["real_server"], two["real_server"]] == [2, "b", "c"]
    assert status == 0


def test_default_place_is_that_of_the_configuration(tmp_path: Path) -> None:
    """Where nothing is configured, both look in the same directory."""
    path = tmp_path / "config.toml"
    path.write_text("")

    assert load_config(path).agent.state_dir == DEFAULT_STATE_DIR

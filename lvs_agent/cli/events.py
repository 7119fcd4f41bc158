"""``lvs-agent events``: what has happened, from a running agent, or from its journal while none runs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.text import Text

from lvs_agent.cli.client import AgentClient, agent_options
from lvs_agent.cli.options import DEFAULT_CONFIG, read_config
from lvs_agent.clock import SystemClock
from lvs_agent.control.journal_store import FILE_NAME, read_journal
from lvs_agent.core.events import choose
from lvs_agent.errors import ConfigError, NoAnswer
from lvs_agent.model.event import KEPT, EventKind
from lvs_agent.one_line import one_line
from lvs_agent.web.events import (
    DEFAULT_LIMIT,
    SCHEMA,
    BadQuestion,
    EventEntry,
    EventsDocument,
    events_document,
    read_question,
)

DEFAULT_STATE_DIR = Path("/var/lib/lvs-agent")
"""Where the journal is, as long as no configuration says otherwise."""
_DOCUMENT = TypeAdapter(EventsDocument)
_PATH = "/api/v1/events"
_PERIOD_S = 1.0
_COLOURS = {
    EventKind.SERVER_UP.value: "green",
    EventKind.SERVER_DOWN.value: "bold red",
    EventKind.SERVER_UNKNOWN.value: "yellow",
    EventKind.QUORUM_LOST.value: "bold red",
    EventKind.QUORUM_REGAINED.value: "green",
    EventKind.MAINTENANCE_STARTED.value: "magenta",
    EventKind.MAINTENANCE_ENDED.value: "magenta",
    EventKind.SORRY_SERVER_ACTIVATED.value: "bold yellow",
    EventKind.SORRY_SERVER_DEACTIVATED.value: "green",
    EventKind.CONFIGURATION_REFUSED.value: "bold red",
    EventKind.PREVIOUS_RUN_CRASHED.value: "bold red",
    EventKind.OPERATION_REFUSED.value: "bold red",
    EventKind.OPERATION_WITHOUT_EFFECT.value: "yellow",
    EventKind.TABLE_CHANGED_BY_OTHERS.value: "cyan",
    EventKind.TABLE_NOT_READ.value: "bold red",
    EventKind.CHECK_NOT_POSSIBLE.value: "yellow",
}
_WIDTH = max(len(kind.value) for kind in EventKind)

Question = Sequence[tuple[str, str]]
"""The parameters of the address."""


@click.command()
@agent_options
@click.option("--since", metavar="WHEN", help="Events since then: 12h (ago), or a time like 2023-11-14T22:13:20Z.")
@click.option("--until", metavar="WHEN", help="Events until then.")
@click.option("--service", metavar="NAME", help="Only about this virtual service.")
@click.option("--server", metavar="ADDR[:PORT]", help="Only about this real server.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in EventKind]),
    metavar="KIND",
    help="Only this kind, such as real_server_down; may be repeated.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, KEPT),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="At most this many events, the newest.",
)
@click.option("--follow", "-f", is_flag=True, help="Also show new events as they happen, until Ctrl-C.")
@click.option(
    "--json", "as_json", is_flag=True, help="The whole answer of /api/v1/events; with --follow one event a line."
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Read the journal in this directory instead of asking an agent.",
)
def events(
    agent: AgentClient,
    *,
    since: str | None,
    until: str | None,
    service: str | None,
    server: str | None,
    kinds: tuple[str, ...],
    limit: int,
    follow: bool,
    as_json: bool,
    state_dir: Path | None,
) -> None:
    """Show what has happened, even while the agent is down.

    The events are servers that went up or down, changes of the table by the agent or by others, and the like, those of
    earlier runs included.  If no agent answers, its journal is read.
    """
    if follow and until is not None:
        raise click.UsageError("--follow and --until cannot be used together")
    if follow and state_dir is not None:
        raise click.UsageError("--follow needs a running agent: it cannot be used together with --state-dir")
    narrowed = _given(since=since, virtual_service=service, real_server=server)
    narrowed += [("kind", kind) for kind in kinds]
    question = [*narrowed, *_given(until=until, limit=str(limit))]
    _check(question)
    document = _first(agent, question) if state_dir is None else _from_journal(question, state_dir)
    if not follow:
        _show_all(document, as_json=as_json)
        return
    _show(document["events"], as_json=as_json)
    _follow(agent, narrowed, after=document["next"], as_json=as_json)


def _given(**parameters: str | None) -> list[tuple[str, str]]:
    return [(name, value) for name, value in parameters.items() if value is not None]


def _check(question: Question) -> None:
    """Raise UsageError for what no agent could answer, before one is asked."""
    try:
        read_question(question, now=SystemClock().now())
    except BadQuestion as problem:
        raise click.UsageError(f"--{problem}") from problem


def _ask(agent: AgentClient, question: Question) -> EventsDocument:
    """The answer of ``agent``.  Raises NoAnswer."""
    body = agent.get(_PATH, question)
    try:
        document = _DOCUMENT.validate_json(body)
    except ValidationError as error:
        raise NoAnswer(f"{agent.url} does not answer like an lvs-agent; see --url") from error
    if document["schema"] != SCHEMA:
        raise NoAnswer(f"{agent.url} has events of version {document['schema']}, not {SCHEMA}: use its own command")
    return document


def _first(agent: AgentClient, question: Question) -> EventsDocument:
    """The answer of ``agent``, else that of its journal.  Raises NoAnswer where there is neither."""
    try:
        return _ask(agent, question)
    except NoAnswer as error:
        directory = _directory()
        if directory is None:
            raise
        try:
            document = _from_journal(question, directory)
        except NoAnswer as other:
            raise NoAnswer(f"{error}; {other}") from other
    click.echo(f"no agent answers; this is from {directory / FILE_NAME}", err=True)
    return document


def _directory() -> Path | None:
    """Where the journal of the agent is that was asked; None where it may be anywhere."""
    context = click.get_current_context()
    if context.get_parameter_source("url") is not ParameterSource.DEFAULT:
        return None
    path, form = context.params["path"], context.params["config_format"]
    if path is not None:
        return read_config(path, form).agent.state_dir
    try:
        return read_config(DEFAULT_CONFIG, form).agent.state_dir
    except ConfigError:  # it may be the very reason why no agent runs
        return DEFAULT_STATE_DIR


def _from_journal(question: Question, directory: Path) -> EventsDocument:
    """The answer of the journal in ``directory``.  Raises NoAnswer where there is none that can be read."""
    path = directory / FILE_NAME
    try:
        path.stat()
        found = sorted(read_journal(directory).events, key=lambda event: event.number)
    except OSError as error:
        raise NoAnswer(f"the journal {path} cannot be read ({error.strerror}), see --state-dir") from error
    query = read_question(question, now=SystemClock().now())
    return events_document(lambda asked: choose(found, asked), query)


def _show_all(document: EventsDocument, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    _show(sorted(document["events"], key=lambda entry: entry["at"]), as_json=False)
    if not document["events"]:
        click.echo("no events", err=True)


def _show(entries: Sequence[EventEntry], *, as_json: bool) -> None:
    console = Console(highlight=False)
    for entry in entries:
        if as_json:
            click.echo(json.dumps(entry, ensure_ascii=False, separators=(",", ":")))
        else:
            console.print(event_line(entry), soft_wrap=True)


def event_line(entry: EventEntry) -> Text:
    """One event on one line: when, what kind, and the sentence; nothing in it steers a terminal."""
    at, kind = one_line(entry["at"]), one_line(entry["kind"])
    line = Text().append(f"{at[:10]} {at[11:19]}Z  ", "dim")
    line.append(f"{kind:{_WIDTH}}", _COLOURS.get(kind, "dim"))
    return line.append(f"  {one_line(entry['text'])}")


def _follow(agent: AgentClient, narrowed: Question, *, after: int, as_json: bool) -> None:
    """Show what comes after ``after`` until Ctrl-C.  An agent that is away is waited for."""
    complaint = ""
    try:
        while True:
            time.sleep(_PERIOD_S)
            try:
                document = _ask(agent, [*narrowed, ("after", str(after))])
            except NoAnswer as error:
                if str(error) != complaint:
                    click.echo(f"error: {error}", err=True)
                complaint = str(error)
                continue
            complaint = ""
            _show(document["events"], as_json=as_json)
            after = document["next"]
    except KeyboardInterrupt:
        return

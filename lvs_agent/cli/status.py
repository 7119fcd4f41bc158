"""``lvs-agent status``: what a running agent knows, in the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from difflib import get_close_matches

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from lvs_agent.cli.client import AgentClient, agent_options
from lvs_agent.cli.status_text import status_text
from lvs_agent.errors import NoAnswer
from lvs_agent.web.document import SCHEMA, ServiceRow, StatusDocument

_DOCUMENT = TypeAdapter(StatusDocument)
_PATH = "/api/v1/status"
_PLAIN_WIDTH = 10_000
"""Wide enough that a line for another program is never wrapped."""
_NAMES_TOLD = 20
WATCH_S = 2.0


@click.command()
@agent_options
@click.option(
    "--service", "services", multiple=True, metavar="NAME", help="Only this virtual service; may be repeated."
)
@click.option(
    "--watch",
    "period_s",
    is_flag=False,
    flag_value=WATCH_S,
    type=click.FloatRange(min=0.1),
    metavar="[SECONDS]",
    help=f"Repeat every so many seconds (without a number: {WATCH_S:g}) until Ctrl-C.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="The whole answer of /api/v1/status; with --watch one answer a line."
)
def status(agent: AgentClient, services: tuple[str, ...], period_s: float | None, *, as_json: bool) -> None:
    """Show what a running agent knows of its services and servers.

    If the agent was started with a --listen that differs from its configuration, give --url or set LVS_AGENT_LISTEN.
    """

    def fetch() -> StatusDocument:
        return only(services, fetch_status(agent))

    if period_s is not None:
        watch(fetch, period_s=period_s, as_json=as_json)
    elif as_json:
        click.echo(json.dumps(fetch(), indent=2, ensure_ascii=False))
    else:
        show_status(fetch())


def fetch_status(agent: AgentClient) -> StatusDocument:
    """The status of ``agent``.  Raises NoAnswer."""
    return _read(agent.url, agent.get(_PATH))


def _read(url: str, body: bytes) -> StatusDocument:
    try:
        document = _DOCUMENT.validate_json(body)
    except ValidationError as error:
        raise NoAnswer(f"{url} does not answer with the status of an lvs-agent; see --url") from error
    if document["schema"] != SCHEMA:
        raise NoAnswer(f"{url} has a status of version {document['schema']}, not {SCHEMA}: use its own command")
    return document


def only(names: tuple[str, ...], document: StatusDocument) -> StatusDocument:
    """``document`` with the services of these names or keys alone; all of them where none is named.

    Raises UsageError for a name that nothing has.
    """
    if not names:
        return document
    known = {name for one in _services(document) for name in (one["name"], one["key"])}
    for name in names:
        if name not in known:
            raise click.UsageError(_unknown(name, [one["name"] for one in _services(document)]))
    services = [one for one in document["services"] if {one["name"], one["key"]} & set(names)]
    foreign = [one for one in document["foreign_services"] if {one["name"], one["key"]} & set(names)]
    kept = {one["name"] for one in services}
    recent = [one for one in document["recent"] if one["virtual_service"] in kept]
    return {**document, "services": services, "foreign_services": foreign, "recent": recent}


def _services(document: StatusDocument) -> Iterator[ServiceRow]:
    yield from document["services"]
    yield from document["foreign_services"]


def _unknown(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=3)
    more = f" and {len(known) - _NAMES_TOLD} more" if len(known) > _NAMES_TOLD else ""
    told = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known[:_NAMES_TOLD])}{more}"
    return f"there is no virtual service {name!r}; {told}"


def show_status(document: StatusDocument) -> None:
    """Print ``document`` to standard output: for people on a terminal, plain text elsewhere."""
    render_status(document, console=Console(highlight=False))


def render_status(document: StatusDocument, *, console: Console) -> None:
    """Print ``document``.  Without a terminal lines are never wrapped."""
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    console.print(status_text(document, width=console.width))


# --- again and again ---------------------------------------------------------------------------------------------


def watch(fetch: Callable[[], StatusDocument], *, period_s: float, as_json: bool) -> None:
    """Show what ``fetch`` gives every ``period_s`` seconds until Ctrl-C.  An agent that is away is waited for.

    A terminal shows one screen that changes; elsewhere each status is printed as it comes.
    """
    console = Console(highlight=False)
    try:
        with ExitStack() as stack:
            show = _lines(as_json=as_json)
            if console.is_terminal and not as_json:
                live = Live(console=console, screen=True, auto_refresh=False)
                stack.enter_context(live)
                show = _Screen(live, period_s=period_s)
            while True:
                try:
                    show(fetch(), "")
                except NoAnswer as error:
                    show(None, str(error))
                time.sleep(period_s)
    except KeyboardInterrupt:
        return


def _lines(*, as_json: bool) -> Callable[[StatusDocument | None, str], None]:
    def show(document: StatusDocument | None, problem: str) -> None:
        if document is None:
            click.echo(f"error: {problem}", err=True)
        elif as_json:
            click.echo(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
        else:
            show_status(document)
            click.echo()

    return show


class _Screen:
    """The terminal while it is watched: the last status, and whether it is the newest."""

    def __init__(self, live: Live, *, period_s: float) -> None:
        self._live = live
        self._period_s = period_s
        self._last: StatusDocument | None = None

    def __call__(self, document: StatusDocument | None, problem: str) -> None:
        self._last = document or self._last
        taken = f"{self._last['taken'][:10]} {self._last['taken'][11:19]}Z" if self._last else "never"
        head = Text(f"as of {taken}, every {self._period_s:g} s; Ctrl-C ends", "dim")
        if problem:
            head = Text(f"no answer since {taken}: {problem}", "bold red")
        if self._last is None:
            self._live.update(head, refresh=True)
            return
        body = status_text(self._last, width=self._live.console.width, worst_first=True)
        self._live.update(Group(head, "", body), refresh=True)

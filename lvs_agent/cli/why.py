"""``lvs-agent why``: why a server has the weight that it has, and what comes next."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.text import Text

from lvs_agent.cli.client import AgentClient, agent_options
from lvs_agent.cli.status_text import COLOURS, said
from lvs_agent.errors import NoAnswer
from lvs_agent.view.spans import plural
from lvs_agent.web.why_answer import SCHEMA, ServerAnswer, WhyDocument

_DOCUMENT = TypeAdapter(WhyDocument)
_PATH = "/api/v1/why"


@click.command()
@click.argument("virtual_service", metavar="SERVICE")
@click.argument("real_server", metavar="[SERVER]", required=False)
@agent_options
@click.option("--json", "as_json", is_flag=True, help="The whole answer of /api/v1/why.")
def why(agent: AgentClient, virtual_service: str, real_server: str | None, *, as_json: bool) -> None:
    """Explain why a server is in service or not.

    Shows what its checks report, what the agent has decided, what the kernel has, and what comes next.  SERVICE and
    SERVER are names or addresses.  Without SERVER all servers of the service are explained; those that are up and in
    service are only listed.
    """
    parameters = [("virtual_service", virtual_service)]
    parameters += [("real_server", real_server)] if real_server else []
    document = _read(agent.url, agent.get(_PATH, parameters))
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    for line in why_lines(document, every=real_server is not None):
        console.print(line, soft_wrap=True)


def _read(url: str, body: bytes) -> WhyDocument:
    try:
        document = _DOCUMENT.validate_json(body)
    except ValidationError as error:
        raise NoAnswer(f"{url} does not answer like an lvs-agent; see --url") from error
    if document["schema"] != SCHEMA:
        raise NoAnswer(f"{url} has answers of version {document['schema']}, not {SCHEMA}: use its own command")
    return document


def why_lines(document: WhyDocument, *, every: bool) -> Iterator[Text]:
    """The answer as lines; without ``every``, servers that are simply up are only counted."""
    yield said(document["virtual_service"], "bold").append(f" {document['key']} · ").append(_state(document["state"]))
    for text in document["sentences"]:
        yield Text("  ").append(said(text))
    plain = [] if every else [server for server in document["servers"] if _is_plain(server)]
    for server in document["servers"]:
        if server not in plain:
            yield Text()
            yield from _server_lines(server)
    well = [server["real_server"] for server in plain if server["state"] == "up"]
    standby = [server["real_server"] for server in plain if server["state"] == "standby"]
    if plain:
        yield Text()
    if well:
        what = "is up, in service and as it" if len(well) == 1 else "are up, in service and as they"
        yield said(f"{plural(len(well), 'real server')} {what} should be: {', '.join(well)}")
    if standby:
        yield said(f"the sorry server is on standby: {', '.join(standby)}")


def _is_plain(server: ServerAnswer) -> bool:
    word = (server["state"], server["membership"])
    return server["settled"] and word in {("up", "pooled"), ("standby", None)}


def _server_lines(server: ServerAnswer) -> Iterator[Text]:
    line = said(server["real_server"], "bold")
    if server["address"] != server["real_server"]:
        line.append(f" {server['address']}")
    line.append(" · ").append(_state(server["state"]))
    yield line.append(f" · {server['membership']}" if server["membership"] else "")
    about = ""
    for sentence in server["sentences"]:
        head = "" if sentence["about"] == about else sentence["about"]
        about = sentence["about"]
        yield Text(f"  {head:<7}", "dim").append(said(sentence["text"], "bold" if about == "next" else ""))


def _state(word: str) -> Text:
    return Text(word.replace("_", " "), COLOURS[word])

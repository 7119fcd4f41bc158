from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.cli import client as client_module
from lvs_agent.cli.client import AgentClient, agent_options
from lvs_agent.errors import NoAnswer
from tests.cli.agents import answering


def test_parameters_arrive_as_they_were_given() -> None:
    """A parameter may come twice, and may hold what a URL gives a meaning to."""
    asked: list[str] = []
    params = [("kind", "a"), ("kind", "b"), ("text", "x&y=z #")]
    with answering(b"{}", asked=asked) as url:
        assert AgentClient(url).get("/api/v1/events", params) == b"{}"

    path, query = urlsplit(asked[0]).path, urlsplit(asked[0]).query
    assert (path, parse_qsl(query)) == ("/api/v1/events", params)


def test_refused_parameters_are_an_error_of_usage() -> None:
    """The agent knows best what it takes: its own words are shown."""
    refusal = json.dumps({"error": "limit: must be a number from 1 to 1000"}).encode()
    with (
        answering(refusal, status=400) as url,
        pytest.raises(click.UsageError, match=r"^limit: must be a number from 1 to 1000$"),
    ):
        AgentClient(url).get("/api/v1/events", [("limit", "x")])


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        pytest.param(404, {"error": "Not Found"}, "has no /api/v1/events", id="an older agent"),
        pytest.param(503, {"error": "too busy"}, "answers with status 503: too busy", id="the agent's words"),
        pytest.param(404, {"problem": "x"}, "does not seem to be lvs-agent", id="other words"),
        pytest.param(500, ["error"], "does not seem to be lvs-agent", id="a list"),
        pytest.param(302, {}, "does not seem to be lvs-agent", id="redirection"),
    ],
)
def test_other_refusals_say_what_to_do(status: int, body: object, words: str) -> None:
    """One line that tells an agent from something else on that port."""
    with answering(json.dumps(body).encode(), status=status) as url, pytest.raises(NoAnswer) as caught:
        AgentClient(url).get("/api/v1/events")

    assert words in str(caught.value)


@given(st.binary(max_size=50) | st.text(max_size=50).map(lambda text: json.dumps({"error": text}).encode()))
def test_no_refusal_steers_the_terminal(body: bytes) -> None:
    """Whatever bytes come with a status of 503, one printable line comes out."""
    refusal = AgentClient("http://agent")._refusal("/x", 503, body)

    assert isinstance(refusal, NoAnswer)
    assert str(refusal).isprintable()


@pytest.mark.parametrize("body", [b"[" * 100_000, b"9" * 5000, b'{"error": "' + b"x" * 10_000 + b'"}'])
def test_monstrous_refusals_stay_one_short_line(body: bytes) -> None:
    """Depth, digits and length are all limited."""
    assert len(str(AgentClient("http://agent")._refusal("/x", 503, body))) < 1000


def test_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is not filled by whatever listens there."""
    monkeypatch.setattr(client_module, "_MAX_ANSWER", 1000)
    with answering(b"x" * 1001) as url, pytest.raises(NoAnswer, match="sends more than"):
        AgentClient(url).get("/api/v1/status")


def test_answer_in_drops_ends_at_the_time_limit() -> None:
    """The time limit is that of the whole answer, not of each byte."""
    stop = threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            while not stop.wait(0.05):
                self.wfile.write(b" ")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                stop.set()  # the client has left

    with HTTPServer(("127.0.0.1", 0), Dripping) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        try:
            with pytest.raises(NoAnswer, match=r"did not answer within 0\.3 s"):
                AgentClient(f"http://127.0.0.1:{server.server_port}", timeout=0.3).get("/")
        finally:
            stop.set()
            thread.join()


@click.command()
@agent_options
@click.option("--more", is_flag=True)
def command(agent: AgentClient, *, more: bool) -> None:
    """A command that asks an agent."""
    click.echo(f"{agent.url} {more}")


def test_command_gets_one_parameter_for_all_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL comes from --url, else from the configuration, else it is the usual one."""
    monkeypatch.delenv("LVS_AGENT_LISTEN", raising=False)
    file = tmp_path / "config.toml"
    file.write_text('agent = { listen = "[::]:1234" }\n')
    run = CliRunner()

    assert run.invoke(command, ["--more"]).output == "http://127.0.0.1:9659 True\n"
    assert run.invoke(command, ["--config", str(file)]).output == "http://[::1]:1234 False\n"
    assert run.invoke(command, ["--config", str(file), "--url", "http://a"]).output == "http://a False\n"
    monkeypatch.setenv("LVS_AGENT_LISTEN", "192.0.2.1:5")
    assert run.invoke(command, ["--config", str(file)]).output == "http://192.0.2.1:5 False\n"

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.agents import serving
from tests.cli.commands import here
from tests.web.worlds import world_backend, world_snapshot


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """An agent with the documentation's world."""
    with serving() as url:
        yield url


def test_server_is_explained_by_name_or_address(url: str) -> None:
    """What was typed may be a name, an address, or an address with its port; the answer is one."""
    answers = {
        here("why", "--url", url, service, server).stdout
        for service, server in (
            ("shop", "web3"),
            ("203.0.113.10:443", "10.0.10.13"),
            ("tcp/203.0.113.10:443", "10.0.10.13:443"),
            ("SHOP", "WEB3"),
        )
    }

    (answer,) = answers
    lines = [" ".join(line.split()) for line in answer.splitlines()]
    assert lines[0] == "shop tcp/203.0.113.10:443 · up"
    assert "web3 10.0.10.13:443 · down · quiesced" in lines
    assert "state It is down for 12 min, since 2023-11-14 22:00:46 UTC." in lines
    assert any("failed with status (status 503, wanted 200-299)" in line for line in lines)
    assert lines[-1].startswith("It comes up after 3 more successes in a row of https on 10.0.10.13:443, in about ")


def test_documentation_shows_what_is_printed(url: str) -> None:
    """The example in docs/status.md is the command's own output."""
    text = (Path(__file__).parents[2] / "docs" / "status.md").read_text(encoding="utf-8")
    shown = text.partition("$ lvs-agent why shop web3\n")[2].partition("```")[0]

    assert shown == here("why", "--url", url, "shop", "web3").stdout


def test_service_explains_those_that_are_not_simply_up(url: str) -> None:
    """Of the others it says that they are well, by name."""
    text = here("why", "--url", url, "shop").stdout

    assert "web5 10.0.10.15:443 · maintenance · maintenance" in text
    assert "web1 10.0.10.11:443" not in text
    assert text.splitlines()[-1] == "3 real servers are up, in service and as they should be: web1, web2, web4"


def test_sorry_server_that_stands_by_is_a_word() -> None:
    """There is nothing to explain about one that is not needed."""
    with serving(snapshot=world_snapshot, backend=world_backend()) as url:
        text = here("why", "--url", url, "shop").stdout

    assert text.splitlines()[-2:] == [
        "1 real server is up, in service and as it should be: well",
        "the sorry server is on standby: 10.0.0.99:80",
    ]


def test_server_in_doubt_is_explained_though_it_is_up(url: str) -> None:
    """Two of three failures are worth a word."""
    text = here("why", "--url", url, "api").stdout

    assert "It has 2 of the 3 failures in a row that take it down." in text
    assert "It goes down after 1 more failure of http2 on 10.0.11.21:8443" in text


def test_json_is_the_whole_answer(url: str) -> None:
    """For programs: every server, every sentence with what it is about."""
    answer = json.loads(here("why", "--url", url, "dns", "--json").stdout)

    assert (answer["virtual_service"], answer["state"]) == ("dns", "up")
    assert [server["real_server"] for server in answer["servers"]] == ["ns1", "ns2", "ns3"]
    assert {one["about"] for one in answer["servers"][0]["sentences"]} == {"state", "checks", "pool", "table", "next"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shop", "web9"), "there is no real server of shop 'web9'; did you mean web5"),
        (("zzz",), "there is no virtual service 'zzz'; known are shop, api"),
        (("203.0.113.10", "web3"), ""),
    ],
)
def test_unknown_name_is_one_line_and_exit_2(url: str, arguments: tuple[str, ...], words: str) -> None:
    """It says what was probably meant; an address without its port is enough where it is the only one."""
    ended = here("why", "--url", url, *arguments)

    assert ended.returncode == (2 if words else 0)
    assert words in ended.stderr
    assert ended.stderr.count("\n") == bool(words)


def test_agent_that_is_not_there_is_one_clear_line() -> None:
    """As with the other commands."""
    ended = here("why", "--url", "http://127.0.0.1:1", "shop")

    assert ended.returncode == 1
    assert "is lvs-agent running there?" in ended.stderr

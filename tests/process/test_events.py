"""The events of the agent, across restarts and kills."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from tests.cli.commands import lvs_agent
from tests.process.agent import Agent
from tests.process.conftest import ConfigFile, StartAgent, StartServers


def events(agent: Agent, query: str = "") -> list[dict[str, Any]]:
    """What the agent answers to the question in the address."""
    found: list[dict[str, Any]] = agent.get(f"/api/v1/events{query}").json()["events"]
    return found


def story(found: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """Kinds and real servers."""
    return [(entry["kind"], entry["real_server"]) for entry in found]


def test_events_outlive_a_kill_and_their_numbers_go_on(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """A server dies, the agent is killed, started and stopped: all of it can be read then, from it and without it."""
    (server,) = real_servers(1)
    path = config.write([server])
    journal = path.parent / "state" / "events.jsonl"
    first = start(path)
    first.wait_for("operation_applied", operation="add_destination")
    server.status = 503
    first.wait_for("operation_applied", operation="delete_destination")
    first.until(lambda: journal.exists() and "quorum_lost" in journal.read_text())
    before = events(first)
    first.end(signal.SIGKILL)
    second = start(path)
    second.wait_until_ready()
    second.until(lambda: len(events(second)) > len(before))
    after = events(second)
    news = events(second, f"?after={before[-1]['number']}")
    second.end()
    told = lvs_agent("events", "--state-dir", journal.parent, "--json")

    assert [one for one in story(before) if one != ("operation_applied", None)] == [  # the service's may come earlier
        ("started", None),
        ("real_server_up", server.name),
        ("operation_applied", server.name),
        ("real_server_down", server.name),
        ("operation_applied", server.name),
        ("quorum_lost", None),
    ]
    (down,) = (entry for entry in before if entry["kind"] == "real_server_down")
    assert (down["facts"]["detail"], down["facts"]["previous"], down["virtual_service"]) == ("status 503", "up", "web")
    assert down["text"] == f"{server.name} of web went down: http check failed (status 503)"
    assert after[: len(before)] == before
    assert story(news)[:2] == [("previous_run_crashed", None), ("started", None)]
    assert not {"real_server_down", "quorum_lost"} & {kind for kind, _ in story(news)}
    assert [entry["number"] for entry in after] == sorted({entry["number"] for entry in after})
    kept = json.loads(told.stdout)["events"]
    assert kept[: len(after)] == after
    assert kept[-1]["kind"] == "stopped"


def test_reloads_are_events(config: ConfigFile, start: StartAgent, real_servers: StartServers) -> None:
    """A refused file is reported with its first problem, and an accepted one with why it was read."""
    servers = real_servers(2)
    agent = start(config.write(servers[:1]))
    agent.wait_until_ready()
    config.replace("[agent]\nstate_dri = 5\n")
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_refused")
    config.write(servers)
    agent.send(signal.SIGHUP)
    agent.wait_for("operation_applied", operation="add_destination", real_server=servers[1].name)
    refused, taken = events(agent, "?kind=configuration_refused&kind=configuration_reloaded")[:2]

    assert "state_dri" in refused["facts"]["problem"]
    assert refused["text"].startswith("the new configuration was refused (1 problem): ")
    assert taken["facts"]["changed"] is True


def test_directory_that_cannot_be_written_is_told_once(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """The agent does its work, and keeps the events in memory until it ends."""
    (config.path.parent / "state").write_text("in the way")
    agent = start(config.write(real_servers(1)))
    agent.wait_until_ready()
    agent.wait_for("events_not_written")
    agent.until(lambda: len(events(agent)) >= 4)
    status = agent.end()

    assert status == 0
    assert len(agent.lines("events_not_written")) == 1


def test_dry_run_tells_and_leaves_no_journal(config: ConfigFile, start: StartAgent, real_servers: StartServers) -> None:
    """An observing agent writes no journal, and does not continue that of the writing agent."""
    path = config.write(real_servers(1))
    first = start(path)
    first.wait_until_ready()
    first.end()
    journal = path.parent / "state" / "events.jsonl"
    left = journal.read_bytes()
    second = start(path, "--dry-run")
    second.until(lambda: len(events(second)) >= 1)
    told = events(second)
    second.end()

    assert told[0]["number"] == 1
    assert told[0]["facts"]["writes"] is False
    assert journal.read_bytes() == left
    assert not Path(path.parent / "state" / "events.new").exists()

"""The units in a machine that boots with systemd, installed as a package installs them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machine.conftest import Facts
from tests.machine.scenario import AGENT, EXPORTER, INSTANCE, WATCHDOG_S

# The fixture builds the machine where it has never been built.
pytestmark = [pytest.mark.machine, pytest.mark.timeout(900)]

NET_ADMIN = 1 << 12
RUNNER = 1 << 7 | 1 << 6 | 1 << 5
STARTER = 1 << 13 | 1 << 7 | 1 << 6 | 1 << 5 | 1 << 2
GRANTED = NET_ADMIN | 1 << 13 | 1 << 7 | 1 << 6 | 1 << 5 | 1 << 2
"""CAP_NET_ADMIN, CAP_NET_RAW, CAP_SETUID, CAP_SETGID, CAP_KILL and CAP_DAC_READ_SEARCH (linux/capability.h)."""


@pytest.fixture
def step(facts: Facts, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What was found in the step that the test names."""
    found = facts[request.param]
    assert "error" not in found, found["error"]
    return found


def of(name: str) -> pytest.MarkDecorator:
    """The test is about this step of the scenario."""
    return pytest.mark.parametrize("step", [name], indirect=True)


def is_ready(shown: dict[str, str]) -> bool:
    """Whether the unit was started and the agent itself has said that it serves."""
    text = shown["StatusText"]
    return (shown["ActiveState"], shown["SubState"]) == ("active", "running") and text.startswith("serving /metrics on")


@of("start")
def test_agent_is_active_once_it_is_ready(step: dict[str, Any]) -> None:
    """With its own main process under its watchdog, and with its settings."""
    shown = step["shown"]

    assert is_ready(shown)
    assert int(shown["MainPID"]) > 1
    assert (shown["WatchdogUSec"], shown["NRestarts"]) == (f"{WATCHDOG_S}s", "0")
    assert (shown["OOMPolicy"], shown["TasksMax"]) == ("continue", "4096")
    assert shown["MemoryMax"].isdigit()


@of("start")
def test_agent_runs_as_its_user_with_few_capabilities(step: dict[str, Any]) -> None:
    """None but those of the unit, no way to get others, and descriptors for very many servers."""
    process = step["process"]

    assert step["user"] == "lvs-agent"
    assert "0" not in process["Uid"].split() + process["Gid"].split()
    assert int(process["CapPrm"], 16) == NET_ADMIN
    assert int(process["CapBnd"], 16) & ~GRANTED == 0
    assert (process["NoNewPrivs"], process["Seccomp"], process["files"]) == ("1", "2", "131072")


@of("start")
def test_each_process_has_the_user_and_the_capabilities_of_its_work(step: dict[str, Any]) -> None:
    """The table for the agent, other users for what starts processes, nothing for the checks; SECURITY.md has more."""
    names = [name for name, _, _ in step["family"]]
    held = {name: (user, int(bits or "0", 16)) for name, user, bits in step["family"]}

    assert held["lvs-check"] == ("lvs-agent-check", 0)
    assert held["lvs-starter"] == ("lvs-agent", STARTER)
    assert {user for user, _ in held.values()} == {"lvs-agent", "lvs-agent-check"}
    assert {bits for name, (_, bits) in held.items() if name not in {"lvs-check", "lvs-starter"}} <= {NET_ADMIN, RUNNER}
    assert names.count("lvs-check") == names.count("lvs-starter") == 1


@of("start")
def test_directories_and_a_configuration_for_root_alone_suffice(step: dict[str, Any]) -> None:
    """The agent owns what it writes, and reads what only root may read."""
    assert step["modes"] == [
        "/etc/lvs-agent root:lvs-agent 750",
        "/etc/lvs-agent/config.toml root:root 600",
        "/var/lib/lvs-agent lvs-agent:lvs-agent 750",
        "/var/log/lvs-agent lvs-agent:lvs-agent 750",
        "/run/lvs-agent lvs-agent:lvs-agent 755",
    ]


@of("start")
@pytest.mark.parametrize(
    ("service", "server"),
    [("web", "127.0.0.2:8001"), ("web", "127.0.0.3:8001"), ("ping", "127.0.0.2:81"), ("command", "127.0.0.2:82")],
)
def test_check_passes_in_the_sandbox(step: dict[str, Any], service: str, server: str) -> None:
    """HTTP, ICMP, and a command that looks at itself and for other processes, as the metrics show."""
    assert f'lvs_real_server_up{{real_server="{server}",virtual_service="{service}"}} 1' in step["metrics"]


@of("reload")
def test_reload_puts_a_changed_file_in_force(step: dict[str, Any]) -> None:
    """By the process that runs already."""
    assert step["same_process"]


@pytest.mark.parametrize(("step", "restarts"), [("restart", "0"), ("kill", "1"), ("watchdog", "2")], indirect=["step"])
def test_new_process_leaves_the_table_as_it_is(step: dict[str, Any], restarts: str) -> None:
    """At no moment was it another one, and the kernel went on counting.  Only failures count as restarts."""
    assert (step["same"], step["states"]) == (True, 1)
    assert step["connections"] == [3, 3]
    assert step["restarts"] == restarts


@of("watchdog")
def test_watchdog_ends_a_process_that_hangs(step: dict[str, Any]) -> None:
    """Not before its time, and the journal says why."""
    assert f"Watchdog timeout (limit {WATCHDOG_S}s)" in step["journal"]
    assert step["seconds"] > WATCHDOG_S / 2


@of("failure")
def test_failed_server_leaves_and_returns_after_restarts(step: dict[str, Any]) -> None:
    """The journal of systemd has the events of the agent."""
    events = [line.partition("event=")[2].split(" ")[0] for line in step["journal"].splitlines()]

    assert {"started", "stopping", "stopped", "real_server_down", "real_server_up", "operation_applied"} <= set(events)


@of("instance")
def test_instance_runs_an_ldirectord_cf_that_only_root_may_read(step: dict[str, Any]) -> None:
    """Beside the other agent, with its own directory, monitor file and port."""
    assert is_ready(step["shown"])
    assert int(step["process"]["CapPrm"], 16) == NET_ADMIN
    assert step["modes"] == [
        "/etc/ha.d/ldirectord.cf root:root 600",
        "/var/log/lvs-agent/monitor.log lvs-agent:lvs-agent 640",
        "/run/lvs-agent/ldirectord.cf lvs-agent:lvs-agent 755",
    ]
    assert 'lvs_real_server_up{real_server="127.0.0.4:8001",virtual_service="tcp/127.0.0.101:80"} 1' in step["metrics"]


@of("stop")
def test_stop_of_an_instance_removes_its_services_only(step: dict[str, Any]) -> None:
    """As cleanstop, ldirectord's default, says."""
    services = [line for line in step["table"] if not line.startswith("->")]

    assert (step["shown"]["ActiveState"], step["shown"]["Result"]) == ("inactive", "success")
    assert len(services) == 3
    assert not any("7F000065" in line for line in services)


@of("exporter")
def test_exporter_takes_the_place_of_the_agent(step: dict[str, Any]) -> None:
    """It has one capability, sees no other user's processes, and leaves the table as it is."""
    assert is_ready(step["shown"])
    assert int(step["process"]["CapPrm"], 16) == int(step["process"]["CapBnd"], 16) == NET_ADMIN
    assert "hidepid=invisible" in step["process"]["proc"]
    assert 'lvs_virtual_service_connections_total{virtual_service="tcp/127.0.0.100:80"} 3' in step["metrics"]
    assert step["same"]
    assert step["units"] == {AGENT: ["inactive", "success"], INSTANCE: ["inactive", "success"]}


@of("second_boot")
def test_enabled_units_are_back_after_a_reboot(step: dict[str, Any]) -> None:
    """With the table that their configurations say."""
    assert step["units"] == {AGENT: "active", INSTANCE: "active", EXPORTER: "inactive"}
    assert step["failed"] == ""
    assert "event=started" in step["journal"]

"""The [metrics] table of a running agent."""

from __future__ import annotations

import signal

from tests.process.agent import Agent
from tests.process.conftest import ConfigFile, StartAgent, StartServers


def families(agent: Agent) -> set[str]:
    """What /metrics shows."""
    return {line.split()[2] for line in agent.get("/metrics").text.splitlines() if line.startswith("# TYPE")}


def test_settings_are_in_force_after_a_reload(
    config: ConfigFile, start: StartAgent, real_servers: StartServers
) -> None:
    """Without a restart: the details of real servers, and single metrics by name; a name of none is said each time."""
    servers = real_servers(1)
    agent = start(config.write(servers))
    agent.wait_until_ready()
    before = families(agent)
    assert {"lvs_real_server_check_duration_seconds", "lvs_real_server_up", "lvs_sysctl"} <= before

    drop = 'drop = ["lvs_sysctl", "lvs_agent_log_message_total"]'
    config.write(servers, more=f'[metrics]\nreal_servers = "state"\n{drop}')
    agent.send(signal.SIGHUP)
    agent.wait_for("configuration_reloaded")
    warning = agent.wait_for("configuration_warning")
    agent.until(lambda: "lvs_sysctl" not in families(agent))

    assert (warning["place"], "did you mean 'lvs_agent_log_messages_total'?" in warning["problem"]) == (
        "metrics.drop",
        True,
    )
    after = families(agent)
    assert "lvs_real_server_up" in after
    assert "lvs_agent_log_messages_total" in after
    assert "lvs_real_server_check_duration_seconds" not in after
    assert not agent.lines("configuration_needs_restart")


def test_name_that_no_metric_has_is_said_at_the_start(config: ConfigFile, start: StartAgent) -> None:
    """In the log, as any other doubt about the configuration."""
    agent = start(config.write(more='[metrics]\ndrop = ["lvs_sysctls"]'))

    warning = agent.wait_for("configuration_warning", place="metrics.drop")
    assert warning["problem"] == "no metric is called 'lvs_sysctls'; did you mean 'lvs_sysctl'?"

"""From a server that fails to the mail about it: two directors, Prometheus and Alertmanager with the shipped files.

The rules and the example are used as they are, except for times: all times in the rules, including ranges, are divided
by fifteen, as are the intervals of scrapes and evaluations; all times of Alertmanager are divided by six.
"""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab.agent import PORT, Agent, until
from tests.lab.hosts import Host
from tests.lab.monitoring import ALERTMANAGER_PORT, Alertmanager, Prometheus
from tests.lab.net import VIP, Cluster
from tests.lab.receivers import Notification, Receivers, receiving

pytestmark = [pytest.mark.ipvs, pytest.mark.timeout(300)]

ALERTS = Path(__file__).parents[2] / "alerts"
RULES_FASTER, ALERTMANAGER_FASTER = 15, 6
"""The shipped interval of rules, 15 s, is a second here.  Alertmanager is slower than that, so that what a busy machine
does late is still what two directors say together."""
PATIENCE_S = 90.0
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
ADDRESSES = ("10.0.0.254", "10.0.0.253")
D1, D2 = (f"{address}:{PORT}" for address in ADDRESSES)
OPS, PAGER = "ops@example.org", "/page"
FIRST = "10.0.0.1:80"
REAL_SERVERS = """
check = { type = "http", path = "/test.html", port = 80, interval = "1s", timeout = "5s", rise = 1, fall = 1 }
[[virtual_service.real_server]]
address = "10.0.0.1"
[[virtual_service.real_server]]
address = "10.0.0.2"
"""
CONFIGURATION = f"""
[[virtual_service]]
name = "web"
address = "{VIP}"
port = 80
{REAL_SERVERS}
[[virtual_service]]
name = "shop"
address = "{VIP}"
port = 81
sorry_server = {{ address = "10.0.0.9" }}
{REAL_SERVERS}
"""
"""Most tests use the first service; the other one has a sorry server."""


def faster(text: str, factor: int) -> str:
    """``text`` of a file of Prometheus or Alertmanager, in which every time passes ``factor`` times as fast."""

    def shorter(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2]) * SECONDS[found[3]] * 1000 // factor}ms"

    return re.sub(r"((?:interval|wait|for): |\[)(\d+)([smhd])\b", shorter, text)


class Director(Host):
    """A host with its own state directory at the same path as the other one, as on two machines.

    So the configurations of both are identical.
    """

    def __init__(self, *, name: str, namespace: str, state: Path) -> None:
        super().__init__(name=name, namespace=namespace)
        self._state = state

    def _wrapped(self, command: list[str]) -> list[str]:
        # "ip netns exec" gives each command mounts of its own.
        return ["sh", "-c", 'mount -t tmpfs state "$0" && exec "$@"', str(self._state), *command]


class Site(NamedTuple):
    """Everything that runs."""

    cluster: Cluster
    directors: tuple[Director, Director]
    agents: tuple[Agent, Agent]
    prometheus: Prometheus
    alertmanager: Alertmanager
    receivers: Receivers

    def await_mail(self, status: str, *about: str) -> Notification:
        """The first mail about an alert, of a service if it has one; waits for it."""
        return self._await(self.receivers.mails, status, about)

    def await_page(self, status: str, *about: str) -> Notification:
        """The same for the pager."""
        return self._await(self.receivers.calls, status, about)

    def tables(self) -> list[int]:
        """How many servers each director's table has for the first service."""
        return [sum(f"-a -t {VIP}:80 " in line for line in director.table()) for director in self.directors]

    def await_servers(self, number: int) -> None:
        """Return when both tables have so many real servers."""
        until(lambda: self.tables() == [number] * 2, what=f"both tables have {number} servers", within_s=PATIENCE_S)

    def told(self, kept: list[Notification]) -> Counter[tuple[str, str, str]]:
        """The number of notifications by status, alert and service."""
        return Counter((one.status, *one.about) for one in kept)

    def _await(self, kept: list[Notification], status: str, about: tuple[str, ...]) -> Notification:
        wanted = (status, (about[0], about[1] if len(about) > 1 else ""))
        found: list[Notification] = []

        def came() -> bool:
            found[:] = [one for one in kept if (one.status, one.about) == wanted]
            return bool(found)

        try:
            until(came, what="the message comes", within_s=PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{wanted} is not among {self.told(kept)}") from error
        return found[0]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Two directors with two servers that are up, scraped by Prometheus."""
    with ExitStack() as stack:
        cluster = stack.enter_context(Cluster(servers=2, directory=tmp_path))
        for server in cluster.servers:
            server.serve()
        directors, agents = zip(*(start_director(cluster, address, tmp_path) for address in ADDRESSES), strict=True)
        monitor = Host(name="monitor", namespace=cluster.namespace_of("monitor"))
        cluster.add(monitor, "10.0.0.250/24")
        receivers = stack.enter_context(receiving(monitor, webhook_port=9098, smtp_port=25))
        example = (ALERTS / "alertmanager.example.yml").read_text()
        alertmanager = Alertmanager(monitor, tmp_path, configuration=faster(example, ALERTMANAGER_FASTER))
        rules = tmp_path / "lvs-agent.rules.yml"
        rules.write_text(faster((ALERTS / rules.name).read_text(), RULES_FASTER))
        prometheus = Prometheus(
            monitor,
            tmp_path,
            jobs={"lvs_agent": (D1, D2)},
            rules=[rules],
            alertmanagers=[f"127.0.0.1:{ALERTMANAGER_PORT}"],
        )
        for program in (alertmanager, prometheus):
            program.wait()
        until(
            lambda: len(prometheus.query('up{job="lvs_agent"} == 1')) == 2, what="both are scraped", within_s=PATIENCE_S
        )
        yield Site(cluster, directors, agents, prometheus, alertmanager, receivers)


def start_director(cluster: Cluster, address: str, directory: Path) -> tuple[Director, Agent]:
    """One more director, with its agent."""
    name = f"director-{address}"
    state, files = directory / "state", directory / name
    for path in (state, files):
        path.mkdir(exist_ok=True)
    director = Director(name=name, namespace=cluster.namespace_of(name), state=state)
    cluster.add(director, f"{address}/24")
    agent = Agent(director, files)
    agent.configure(CONFIGURATION, state_dir=str(state), listen=f"0.0.0.0:{PORT}")
    agent.start()
    return director, agent


def test_what_happens_is_told_once_and_taken_back(site: Site) -> None:
    """A server, a table, a service, a configuration and an agent in trouble: who is notified of what, and how often."""
    one_server_goes_and_somebody_fights(site)
    # The notification of this takes longest.
    break_configuration(site.agents[0])
    it_comes_back(site)
    all_servers_come_and_go(site)
    site.agents[1].stop(signal.SIGKILL)
    the_agent_that_died_is_told(site)
    the_broken_configuration_is_told(site)
    nothing_else_was_told(site)


def one_server_goes_and_somebody_fights(site: Site) -> None:
    """One mail for both directors names the server that is down; another one the director with the contended table."""
    site.cluster.servers[0].server.stop()
    site.await_servers(1)
    assert names(site.await_mail("firing", "LVSRealServerDown", "web"), D1, D2, FIRST)

    for _ in range(5):
        site.directors[0].run("ipvsadm", "-D", "-t", f"{VIP}:80")
        site.await_servers(1)
    mail = site.await_mail("firing", "LVSTableContended")
    assert (names(mail, D1), names(mail, D2)) == (True, False)
    assert site.told(site.receivers.mails) == {
        ("firing", "LVSRealServerDown", "web"): 1,
        ("firing", "LVSRealServerDown", "shop"): 1,
        ("firing", "LVSTableContended", ""): 1,
    }


def it_comes_back(site: Site) -> None:
    """A mail says that the server has recovered; nobody was paged for one server."""
    site.cluster.servers[0].server.start()
    site.await_servers(2)
    assert names(site.await_mail("resolved", "LVSRealServerDown", "web"), FIRST)
    site.await_mail("resolved", "LVSRealServerDown", "shop")
    assert {name for _, name, _ in site.told(site.receivers.calls)} <= {"LVSAgentConfigReloadFailed"}


def all_servers_come_and_go(site: Site) -> None:
    """One page for both directors about the service, which inhibits alerts of its servers, and one when it recovers.

    An active sorry server does not change that.
    """
    before = site.told(site.receivers.mails)
    for server in site.cluster.servers:
        server.server.stop()
    site.await_servers(0)
    assert names(site.await_page("firing", "LVSServiceDown", "web"), D1, D2)
    assert names(site.await_page("firing", "LVSServiceDown", "shop"), D1, D2)
    for service in ("web", "shop"):
        site.await_mail("firing", "LVSServiceDown", service)
    until(lambda: is_all_that_is_active(site, "LVSServiceDown"), what="the rest is suppressed", within_s=PATIENCE_S)
    for told in (site.told(site.receivers.mails) - before, site.told(site.receivers.calls)):
        for service in ("web", "shop"):
            assert {what: times for what, times in told.items() if service in what} == {
                ("firing", "LVSServiceDown", service): 1
            }

    for server in site.cluster.servers:
        server.server.start()
    site.await_servers(2)
    site.await_page("resolved", "LVSServiceDown", "web")
    site.await_page("resolved", "LVSServiceDown", "shop")
    for service in ("web", "shop"):
        site.await_mail("resolved", "LVSServiceDown", service)


def is_all_that_is_active(site: Site, alert: str) -> bool:
    """Whether ``alert`` inhibits the other alerts about the service; an alert about the past is sent to nobody."""
    alerts = site.alertmanager.alerts(virtual_service="web")
    return alerts["active"] - {"LVSRealServerBounced"} == {alert} and "LVSRealServerDown" in alerts["suppressed"]


def break_configuration(agent: Agent) -> None:
    """Let it load an invalid configuration."""
    agent.configure("nonsense = [")
    agent.send(signal.SIGHUP)


def the_agent_that_died_is_told(site: Site) -> None:
    """One page and one mail, and nothing else of its director."""
    for message in (site.await_page("firing", "LVSAgentDown"), site.await_mail("firing", "LVSAgentDown")):
        assert (names(message, D1), names(message, D2)) == (False, True)
    assert site.alertmanager.alerts(instance=D2)["active"] == {"LVSAgentDown"}


def the_broken_configuration_is_told(site: Site) -> None:
    """One page and one mail, for the director that has it."""
    for message in (
        site.await_page("firing", "LVSAgentConfigReloadFailed"),
        site.await_mail("firing", "LVSAgentConfigReloadFailed"),
    ):
        assert (names(message, D1), names(message, D2)) == (True, False)


def nothing_else_was_told(site: Site) -> None:
    """Each fault was reported once in each way, and there was no other alert."""
    counts = site.told(site.receivers.mails) + site.told(site.receivers.calls)
    once = {"LVSTableContended": 1, "LVSAgentErrorsLogged": 1, "LVSAgentConfigReloadFailed": 2, "LVSAgentDown": 2}
    others = {"LVSRealServerDown", "LVSServiceDown"}
    assert {name: times for (status, name, _), times in counts.items() if status == "firing" and name in once} == once
    assert {name for _, name, _ in counts} <= others | once.keys()
    assert {one.way for one in site.receivers.mails} == {OPS}
    assert {one.way for one in site.receivers.calls} == {PAGER}


def names(message: Notification, *words: str) -> bool:
    """Whether ``message`` says all of ``words``."""
    return all(word in message.text for word in words)

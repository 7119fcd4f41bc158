"""What happens to the director that the dashboards are shown for: a bit of everything, within half a minute."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.grafana.dashboards import ROOT
from tests.grafana.prometheus import Prometheus
from tests.lab import agent as lab_agent
from tests.lab.agent import Agent, until
from tests.lab.net import VIP, Cluster

CONFIGURATION = f"""
[defaults]
check = {{ interval = "1s", timeout = "1s", rise = 1, fall = 1 }}

[[virtual_service]]
name = "web"
address = "{VIP}"
port = 80
scheduler = "wrr"
check = {{ type = "http", path = "/test.html" }}
persistence = {{ timeout = "1m" }}
upper_threshold = 100
sorry_server = {{ address = "10.0.0.3" }}
sorry_command = {{ command = ["/bin/true"] }}
[[virtual_service.real_server]]
address = "10.0.0.1"
[[virtual_service.real_server]]
address = "10.0.0.2"
weight = 3

[[virtual_service]]
name = "secure"
address = "{VIP}"
port = 443
check = {{ type = "https", path = "/", tls = {{ verify = false }} }}
[[virtual_service.real_server]]
address = "10.0.0.1"

[[virtual_service]]
name = "marked"
fwmark = 10
check = {{ type = "tcp", port = 80 }}
[[virtual_service.real_server]]
address = "10.0.0.3"
"""
REFUSED = "[[virtual_service]]\nname = 3\n"
RULES = ROOT / "alerts" / "lvs-agent.rules.yml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What can be asked afterwards, about the time from ``start`` to ``end``."""

    prometheus: Prometheus
    start: float
    end: float


def play(stack: ExitStack, directory: Path) -> Scene:
    """Everything that happens.  What was started ends with ``stack``."""
    cluster = stack.enter_context(Cluster(servers=3, directory=directory))
    cluster.director.add_address(VIP)
    for server in cluster.servers:
        server.accept_direct(VIP)
        server.serve()
    _serve_tls(cluster, directory)
    agent = Agent(cluster.director, directory)
    agent.configure(CONFIGURATION)
    prometheus = Prometheus(
        cluster.director,
        directory,
        target=f"127.0.0.1:{lab_agent.PORT}",
        rules=RULES.read_text(encoding="utf-8").replace("interval: 15s", "interval: 1s"),
    )
    cluster.director.run("ipvsadm", "--start-daemon", "master", "--mcast-interface", "eth0")
    start = time.time()
    agent.start()
    prometheus.start()
    _wait_for(prometheus, "count_over_time(up[1m]) > 3")
    with cluster.client.inside():
        for _ in range(4):
            stack.enter_context(socket.create_connection((VIP, 80), timeout=5))
    with cluster.client.load(f"http://{VIP}/name", rate=10):
        _disturb(cluster, agent, prometheus)
    return Scene(prometheus=prometheus, start=start, end=time.time())


def _serve_tls(cluster: Cluster, directory: Path) -> None:
    """A server of port 443 whose certificate is valid for ten days more."""
    server, pem = cluster.servers[0], directory / "certificate.pem"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", pem)
    server.run("openssl", "req", "-x509", *key, "-out", f"{pem}.crt", "-days", "10", "-subj", "/CN=www.example.com")
    server.start("openssl", "s_server", "-accept", "443", "-cert", f"{pem}.crt", "-key", pem, "-www", "-quiet")


def _disturb(cluster: Cluster, agent: Agent, prometheus: Prometheus) -> None:
    for server in cluster.servers[:2]:
        server.server.stop()
    _wait_for(prometheus, 'lvs_virtual_service_sorry_server_active{virtual_service="web"} == 1')
    # Of a series that begins with the first failure, only the second one is seen to be an increase.
    _wait_for(prometheus, 'increase(lvs_virtual_service_check_failures_total{virtual_service="web"}[1m]) > 0')
    for server in cluster.servers[:2]:
        server.server.start()
    until(lambda: agent.metric("lvs_virtual_service_weight", virtual_service="web") == 4, what="both are back")
    cluster.director.run("ipvsadm", "-d", "-t", f"{VIP}:80", "-r", "10.0.0.2:80")
    _wait_for(prometheus, "increase(lvs_agent_drift_repairs_total[1m]) > 0")
    agent.configure(REFUSED)
    agent.send(signal.SIGHUP)
    _wait_for(prometheus, "lvs_agent_config_last_reload_successful == 0")
    agent.reload(CONFIGURATION)
    _wait_for(prometheus, "lvs_agent_config_last_reload_successful == 1")
    _wait_for(prometheus, 'ALERTS{alertname="LVSRealServerBounced",alertstate="firing"}')


def _wait_for(prometheus: Prometheus, expr: str) -> None:
    until(lambda: bool(prometheus.at(expr, time=time.time())), what=expr, within_s=60)

"""Faults 4, 9 and 19 to 26 of ldirectord, where a kernel shows that lvs-agent is free of them."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.agent import Agent, until
from tests.lab.net import VIP, Cluster
from tests.lab.test_ldirectord_doing import CfAgent, rows
from tests.lab.test_life import renewed_rows

pytestmark = pytest.mark.ipvs

TIMES = "checktimeout=1\nnegotiatetimeout=1\ncheckinterval=1\ncleanstop=no\n"
HTTP = '    service=http\n    request="test.html"\n    receive="test"\n    scheduler=rr\n'
FIRST, SECOND, THIRD = "10.0.0.1:80 1", "10.0.0.2:80 1", "10.0.0.3:80 1"


@pytest.fixture
def serving(restored: Cluster) -> Cluster:
    """Three real servers, all well, and an empty table; the same hosts for all tests."""
    return restored


@pytest.fixture
def director(serving: Cluster, tmp_path: Path) -> Iterator[CfAgent]:
    """The agent with an ldirectord.cf, not yet started; its memory is removed at the end."""
    made = CfAgent(Agent(serving.director, tmp_path), tmp_path)
    made.forget()
    yield made
    if made.is_running:
        made.stop(signal.SIGKILL)
    made.forget()


def changes(director: CfAgent, server: str) -> list[tuple[str, int | None]]:
    """Every change of the row of ``server``, with the weight that it got."""
    return [(one["operation"], one.get("weight")) for one in director.operations() if one.get("real_server") == server]


@pytest.fixture
def silent_resolver(serving: Cluster, tmp_path: Path) -> Iterator[Path]:
    """The director's resolver asks a server that never answers; the file exists as soon as it was asked."""
    asked = tmp_path / "asked"
    server = serving.servers[2]
    program = (
        "import pathlib, socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 53))\n"
        f"while True: s.recv(999); pathlib.Path({str(asked)!r}).touch()"
    )
    server.start(sys.executable, "-c", program)
    own = Path("/etc/netns", serving.director.namespace)  # ip netns exec puts it over /etc
    own.mkdir(parents=True)
    (own / "nsswitch.conf").write_text("hosts: dns\n")
    (own / "resolv.conf").write_text(f"nameserver {server.address}\noptions timeout:5 attempts:2\n")
    yield asked
    shutil.rmtree(own)


@pytest.mark.fault(4)
def test_silent_name_server_delays_no_check(
    serving: Cluster, silent_resolver: Path, director: CfAgent, tmp_path: Path
) -> None:
    """ldirectord with maintenancedir asks for the name of each server before each check, and waits for the answer;
    lvs-agent asks beside the checks.
    """
    directory = tmp_path / "maintenance"
    directory.mkdir()
    (directory / "elsewhere").touch()
    director.configure(
        f"{TIMES}maintenancedir={directory}\nvirtual={VIP}:80\n    real=10.0.0.1:80 gate\n"
        f"    real=10.0.0.2:80 gate\n{HTTP}"
    )
    director.start(ready=False)
    until(silent_resolver.exists, what="the name server is asked")
    done = director.metric("lvs_real_server_check_duration_seconds_count")

    def checks() -> float:
        return director.metric("lvs_real_server_check_duration_seconds_count") - done

    until(lambda: checks() >= 2 * 3, what="both servers are checked three times", within_s=8)


@pytest.mark.fault(9)
@pytest.mark.fault(25)
def test_no_program_is_started_for_the_table(serving: Cluster, director: CfAgent) -> None:
    """ldirectord starts ipvsadm several times for each change and reads what it prints for people; lvs-agent talks to
    the kernel itself.
    """
    director.configure(
        f"{TIMES}virtual={VIP}:80\n    real=10.0.0.1:80 gate\n    real=10.0.0.2:80 gate\n"
        f"    fallback=10.0.0.3:80\n{HTTP}"
    )
    director.start()
    for server in serving.servers[:2]:
        server.server.stop()
    until(lambda: rows(serving) == [THIRD], what="the fallback server is alone")
    fields = Path(f"/proc/{director._running.pid}/stat").read_text().rpartition(")")[2].split()
    page_faults_of_ended_children, their_time = int(fields[8]), (fields[13], fields[14])

    assert page_faults_of_ended_children == 0
    assert their_time == ("0", "0")


@pytest.mark.fault(19)
def test_dead_servers_get_no_traffic_at_start_and_reload(serving: Cluster, director: CfAgent, tmp_path: Path) -> None:
    """ldirectord gives every server its full weight at each start and reload before it checks it, also those in
    maintenance, and calls the fallback server in between; lvs-agent leaves the table as it is until it knows more.
    """
    maintenance = tmp_path / "maintenance"
    maintenance.mkdir()
    (maintenance / "10.0.0.3").touch()
    serving.servers[1].server.stop()
    text = (
        f"{TIMES}quiescent=yes\nmaintenancedir={maintenance}\nvirtual={VIP}:80\n"
        "    real=10.0.0.1:80 gate\n    real=10.0.0.2:80 gate\n    real=10.0.0.3:80 gate\n"
        f"    fallback=10.0.0.99:80 gate\n{HTTP}"
    )
    serving.director.run("ipvsadm", "-A", "-t", f"{VIP}:80", "-s", "rr")
    for server, weight in (("10.0.0.1", "1"), ("10.0.0.2", "0"), ("10.0.0.3", "0")):
        serving.director.run("ipvsadm", "-a", "-t", f"{VIP}:80", "-r", f"{server}:80", "-g", "-w", weight)
    with serving.client.load(f"http://{VIP}/name", rate=40) as load:
        director.configure(text)
        director.start()
        director.reload(text.replace("rr", "wrr"))
        time.sleep(1.0)

    assert (load.failures, set(load.served)) == ([], {"rs1"})
    assert sum(load.served.values()) > 40
    assert [changes(director, f"10.0.0.{host}:80") for host in (1, 2, 3, 99)] == [[], [], [], []]
    assert "-s wrr" in serving.director.table()[0]


@pytest.mark.fault(20)
def test_quiesced_server_without_a_port_comes_back_with_its_weight(serving: Cluster, director: CfAgent) -> None:
    """ldirectord with quiescent=yes leaves direct servers at weight 0 for ever where they have no port or another one,
    because it looks for a row that the kernel has under the service's port; lvs-agent knows under which port it is.
    """
    director.configure(
        f"{TIMES}quiescent=yes\nvirtual={VIP}:80\n    real=10.0.0.1 gate 3\n    real=10.0.0.2:8080 gate 2\n"
        f"    checkport=80\n{HTTP}"
    )
    director.start()
    assert rows(serving) == ["10.0.0.1:80 3", "10.0.0.2:80 2"]
    for server in serving.servers:
        server.server.stop()
    until(lambda: rows(serving) == ["10.0.0.1:80 0", "10.0.0.2:80 0"], what="both are quiesced")
    for server in serving.servers:
        server.server.start()
    until(lambda: rows(serving) == ["10.0.0.1:80 3", "10.0.0.2:80 2"], what="both are back")


@pytest.mark.fault(21)
def test_reload_cuts_no_connection(serving: Cluster, director: CfAgent) -> None:
    """ldirectord deletes and adds anew at each reload what it finds under another port than its file says, and with it
    every connection; lvs-agent writes nothing where nothing has changed.
    """
    text = (
        f"{TIMES}virtual={VIP}:80\n    real=10.0.0.1 gate\n    real=10.0.0.2 gate\n{HTTP}"
        f"virtual={VIP}:81\n    real=10.0.0.1:81 masq\n    fallback=10.0.0.3:8080 gate\n{HTTP}"
    )
    director.configure(text)
    director.start()
    until(lambda: "10.0.0.3:81 1" in rows(serving), what="the fallback server is called")
    operations = len(director.operations())
    with renewed_rows(serving) as renewed, serving.client.load(f"http://{VIP}/name", rate=40) as load:
        time.sleep(0.5)
        director.reload(f"{text}virtual=7\n    real=10.0.0.1 gate\n    checktype=on\n")
        time.sleep(0.5)
    added = director.operations()[operations:]

    assert (load.failures, renewed, set(load.served)) == ([], [], {"rs1", "rs2"})
    assert [one["operation"] for one in added] == ["add_service", "add_destination"]


@pytest.mark.fault(22)
def test_fallback_server_may_be_a_real_server(serving: Cluster, director: CfAgent) -> None:
    """ldirectord deletes a real server that is the fallback server as well as soon as any server comes up, and leaves
    the pool empty when the others die; lvs-agent keeps its row for as long as either of both wants it.
    """
    director.configure(
        f"{TIMES}quiescent=no\nvirtual={VIP}:80\n    real=10.0.0.1:80 gate\n    real=10.0.0.2:80 gate\n"
        f"    fallback=10.0.0.1:80 gate\n{HTTP}"
    )
    first, second, _ = (server.server for server in serving.servers)
    first.stop()
    second.stop()
    director.start(ready=False)
    until(lambda: rows(serving) == [FIRST], what="it is the fallback server")
    first.start()
    until(lambda: director.server("10.0.0.1:80")["health"] == "up", what="it is a real server, too")
    second.start()
    until(lambda: rows(serving) == [FIRST, SECOND], what="there are two real servers")
    second.stop()
    until(lambda: rows(serving) == [FIRST], what="the other one has gone")

    assert changes(director, "10.0.0.1:80") == [("add_destination", 1)]


@pytest.mark.fault(23)
def test_global_fallback_server_helps_a_firewall_mark(serving: Cluster, director: CfAgent) -> None:
    """ldirectord makes a malformed command of a global fallback server where the service is a firewall mark; lvs-agent
    puts it into the pool, and clients reach it.
    """
    serving.director.mark(VIP, port=80, mark=1)
    director.configure(
        f"{TIMES}quiescent=no\nfallback=10.0.0.3:80 gate\nvirtual=1\n    real=10.0.0.1 gate\n    checkport=80\n{HTTP}"
    )
    serving.servers[0].server.stop()
    director.start(ready=False)
    until(lambda: THIRD in rows(serving), what="the fallback server is called")

    assert serving.client.get(f"http://{VIP}/name").server == "rs3"


@pytest.mark.fault(24)
def test_what_others_do_to_the_table_is_repaired(serving: Cluster, director: CfAgent) -> None:
    """ldirectord does not notice that rows were changed or deleted, or the whole table cleared; lvs-agent notices, and
    repairs it.
    """
    director.configure(f"{TIMES}virtual={VIP}:80\n    real=10.0.0.1:80 gate\n    real=10.0.0.2:80 gate\n{HTTP}")
    director.start()
    table = serving.director.table()
    service = ("-t", f"{VIP}:80")
    for damage in (
        ("-C",),
        ("-d", *service, "-r", "10.0.0.1:80"),
        ("-e", *service, "-r", "10.0.0.2:80", "-g", "-w", "9"),
    ):
        director.send(signal.SIGSTOP)  # else it might be undone before anybody looks
        serving.director.run("ipvsadm", *damage)
        assert serving.director.table() != table
        director.send(signal.SIGCONT)
        until(lambda: serving.director.table() == table, what=f"ipvsadm {damage[0]} is undone")


@pytest.mark.fault(25)
def test_rows_of_every_kind_are_read_as_they_are(serving: Cluster, director: CfAgent) -> None:
    """ldirectord misreads what ipvsadm prints of local servers, of IPv6 marks and of thresholds; lvs-agent finds every
    row as it has written it, and the next start changes nothing.
    """
    director.configure(
        f"{TIMES}virtual={VIP}:80\n    real=10.0.0.254:80 gate\n    real=10.0.0.2:80 masq 2 l:3 u:9\n    checktype=on\n"
        f"virtual6=7\n    real6=[2001:db8::1] gate\n    real6=[2001:db8::2]:8080 ipip l:3 u:9\n    checktype=on\n"
    )
    director.start()
    table = serving.director.table()
    director.stop()
    written = len(director.operations())
    director.start()
    time.sleep(1.0)

    assert len(rows(serving)) == 4
    assert (len(director.operations()), serving.director.table()) == (written, table)
    assert director.events("operation_failed") == []


@pytest.mark.fault(26)
def test_kernel_is_asked_for_what_ldirectord_has_no_word_for(serving: Cluster, tmp_path: Path) -> None:
    """ldirectord has no words for SCTP, persistence engines and kinds of tunnels; lvs-agent has them in its own
    configuration.
    """
    agent = Agent(serving.director, tmp_path)
    agent.configure(f"""
[[virtual_service]]
protocol = "sctp"
address = "{VIP}"
port = 2905
scheduler = "rr"
forwarding = "tunnel"
tunnel = {{ type = "gue", port = 6080 }}
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "10.0.0.1"
[[virtual_service]]
protocol = "udp"
address = "{VIP}"
port = 5060
scheduler = "rr"
persistence = {{ timeout = "5m", engine = "sip" }}
check = {{ type = "none" }}
[[virtual_service.real_server]]
address = "10.0.0.1"
""")
    agent.start()
    table = "\n".join(serving.director.table())
    agent.stop()

    assert f"--sctp-service {VIP}:2905" in table
    assert "--tun-type gue --tun-port 6080" in table
    assert "--pe sip" in table

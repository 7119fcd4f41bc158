"""Features of an ldirectord.cf beside checks: maintenance, sorry commands, monitor files, deleted rows."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lvs_agent.ldirectord.reader.reading import STATE_DIR
from tests.lab.agent import PORT, Agent, until
from tests.lab.net import VIP, VIP6, Cluster

pytestmark = pytest.mark.ipvs

TIMES = "checktimeout=1\nnegotiatetimeout=1\ncheckinterval=1\n"
PATIENT = "checktimeout=10\nnegotiatetimeout=10\ncheckinterval=1\n"
"""Where no server is to fail, however little time the kernel has."""
HTTP = '    service=http\n    request="test.html"\n    receive="test"\n    scheduler=rr\n'
LDIRECTORD = Path("/usr/sbin/ldirectord")


class CfAgent(Agent):
    """The agent on an ldirectord.cf."""

    def __init__(self, agent: Agent, directory: Path) -> None:
        super().__init__(agent._host, directory)
        self.path = directory / f"{directory.name}.cf"

    def configure(self, text: str, **agent: str) -> None:
        """Replace the file as an editor does."""
        if agent:
            raise TypeError("an ldirectord.cf has no table [agent]")
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.path)

    def start(self, *options: str, ready: bool = True) -> None:
        """Start it, on the tests' port."""
        super().start("--listen", f"127.0.0.1:{PORT}", *options, ready=ready)

    def forget(self) -> None:
        """Remove what outlives it."""
        shutil.rmtree(STATE_DIR / self.path.name, ignore_errors=True)


@pytest.fixture
def cf_agent(agent: Agent, tmp_path: Path) -> Iterator[CfAgent]:
    """The agent on the director, not yet started; its memory is removed at the end."""
    made = CfAgent(agent, tmp_path)
    made.forget()
    yield made
    made.forget()


@pytest.fixture
def cluster(restored: Cluster) -> Cluster:
    """The same hosts for all tests."""
    return restored


@pytest.fixture
def serving(cluster: Cluster) -> Cluster:
    """Three real servers, all of them up."""
    return cluster


@pytest.fixture
def names(cluster: Cluster) -> Iterator[None]:
    """The director knows the first real server by name, and no resolver but its own file."""
    own = Path("/etc/netns", cluster.director.namespace)  # ip netns exec puts it over /etc
    own.mkdir(parents=True)
    (own / "hosts").write_text("127.0.0.1 localhost\n10.0.0.1 rs1.example.com\n2001:db8::1 rs1.example.com\n")
    (own / "nsswitch.conf").write_text("hosts: files\n")
    yield
    shutil.rmtree(own)
    with suppress(OSError):  # where others have theirs there
        own.parent.rmdir()


def rows(cluster: Cluster) -> list[str]:
    """The real servers in the table of the director with their weights, sorted: ``"10.0.0.1:80 1"``."""
    found = (re.search(r"^-a .* -r (\S+) .*-w (\d+)", line) for line in cluster.director.table())
    return sorted(f"{row[1]} {row[2]}" for row in found if row)


def until_rows(cluster: Cluster, wanted: set[str], *, what: str) -> None:
    """Wait until exactly ``wanted`` are in the table."""
    until(lambda: set(rows(cluster)) == wanted, what=what)


BOTH_FAMILIES = f"""
virtual={VIP}:80
    real=10.0.0.1:80 gate
    real=10.0.0.2:80 gate
{HTTP}
virtual6=[{VIP6}]:80
    real6=[2001:db8::1]:80 gate
    real6=[2001:db8::2]:80 gate
{HTTP}"""
FIRST, FIRST6 = "10.0.0.1:80 1", "[2001:db8::1]:80 1"
ALL = sorted([FIRST, "10.0.0.2:80 1", FIRST6, "[2001:db8::2]:80 1"])


def test_maintenance_file_takes_a_server_out_and_its_removal_brings_it_back(
    serving: Cluster, names: None, cf_agent: CfAgent, tmp_path: Path
) -> None:
    """By address, IPv6 too, and by host name, in full and in short, with a port or without; no request is lost."""
    directory = tmp_path / "maintenance"
    directory.mkdir()
    # Removing a row cuts its open connections; weight 0 keeps them.
    cf_agent.configure(f"{PATIENT}quiescent=yes\nmaintenancedir={directory}\n{BOTH_FAMILIES}")
    cf_agent.start()
    assert rows(serving) == ALL
    with serving.client.load(f"http://{VIP}/name", rate=40) as load:
        for file, out in [
            ("10.0.0.1:80", {FIRST}),
            ("10.0.0.1", {FIRST}),
            ("[2001:db8::1]:80", {FIRST6}),
            ("[2001:db8::1]", {FIRST6}),
            ("2001:DB8:0::1", {FIRST6}),
            ("rs1.example.com:80", {FIRST, FIRST6}),
            ("RS1.example.com", {FIRST, FIRST6}),
            ("rs1:80", {FIRST, FIRST6}),
            ("rs1", {FIRST, FIRST6}),
        ]:
            (directory / file).touch()
            quiesced = {f"{row.removesuffix('1')}0" for row in out}
            until_rows(serving, set(ALL) - out | quiesced, what=f"{file} takes its server out")
            (directory / file).unlink()
            until_rows(serving, set(ALL), what=f"the server is back without {file}")

    assert load.failures == []
    assert cf_agent.metric("lvs_real_server_transitions_total") == 0


@pytest.mark.parametrize("file", ["10.0.0.1", "rs1"])
@pytest.mark.parametrize("before", ["empty table", "its row in the table"])
def test_server_in_maintenance_gets_no_traffic_when_the_agent_starts(
    serving: Cluster, names: None, cf_agent: CfAgent, tmp_path: Path, file: str, before: str
) -> None:
    """Not for a moment, whether the table was empty or had it at full weight; ldirectord lets it in at each start."""
    directory = tmp_path / "maintenance"
    directory.mkdir()
    (directory / file).touch()
    cf_agent.configure(f"{TIMES}quiescent=no\nmaintenancedir={directory}\n{BOTH_FAMILIES}")
    if before == "its row in the table":
        serving.director.run("ipvsadm", "-A", "-t", f"{VIP}:80", "-s", "rr")
        serving.director.run("ipvsadm", "-a", "-t", f"{VIP}:80", "-r", "10.0.0.1:80", "-g", "-w", "1")
    cf_agent.start()
    time.sleep(1.0)

    done = [
        (one["operation"], one.get("weight"))
        for one in cf_agent.operations()
        if one.get("real_server") == "10.0.0.1:80"
    ]
    assert FIRST not in rows(serving)
    assert done == ([] if before == "empty table" else [("delete_destination", None)])


class SorryScript:
    """A fallback command that writes down what it is called with, in a place where the user nobody may write."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "sorry"
        self._calls = directory / "calls"
        self.path.write_text(f'#!/bin/sh\necho "$@" >>{self._calls}\n')
        self.path.chmod(0o755)
        self.forget()
        self._calls.chmod(0o666)

    @property
    def calls(self) -> list[str]:
        """The calls so far, sorted because services do not wait for each other."""
        return sorted(self._calls.read_text().splitlines())

    def forget(self) -> None:
        """Forget them."""
        self._calls.write_text("")


@pytest.fixture
def sorry() -> Iterator[SorryScript]:
    """The script, in a directory that everybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield SorryScript(Path(name))


def sorry_calls(action: str) -> list[str]:
    """One call for each service of ``sorry_file``."""
    return sorted(f"so sorry {action} {place}" for place in (f"{VIP}:80 tcp", f"[{VIP6}]:80 tcp", "10:0 fwm"))


def sorry_file(script: SorryScript, *, cleanstop: str) -> str:
    """A file with three services: IPv4, IPv6 and a firewall mark, all with the first server and a fallback command."""
    return f"""{TIMES}quiescent=no
cleanstop={cleanstop}
fallbackcommand={script.path} so sorry
virtual={VIP}:80
    real=10.0.0.1:80 gate
    fallback=10.0.0.3:80 gate
{HTTP}
virtual6=[{VIP6}]:80
    real6=[2001:db8::1]:80 gate
{HTTP}
virtual=10
    real=10.0.0.1 gate
    checkport=80
{HTTP}"""


@pytest.mark.parametrize("cleanstop", ["yes", "no"])
def test_fallback_command_is_called_in_order_with_its_arguments(
    serving: Cluster, cf_agent: CfAgent, sorry: SorryScript, cleanstop: str
) -> None:
    """Once for each turn and service, never at a start that finds servers, and at the end where the service goes."""
    first = serving.servers[0].server

    def called(action: str) -> None:
        until(lambda: sorry.calls == sorry_calls(action), what=f"{action} is called for each service")
        time.sleep(1.2)
        assert sorry.calls == sorry_calls(action)
        sorry.forget()

    cf_agent.configure(sorry_file(sorry, cleanstop=cleanstop))
    cf_agent.start()
    time.sleep(0.5)
    assert sorry.calls == []
    first.stop()
    called("start")
    assert rows(serving) == ["10.0.0.3:80 1"]
    first.start()
    called("stop")
    first.stop()
    called("start")
    cf_agent.stop()
    assert sorry.calls == (sorry_calls("stop") if cleanstop == "yes" else [])
    assert bool(serving.director.table()) is (cleanstop == "no")


def test_restart_without_servers_calls_the_fallback_command_only_once(
    serving: Cluster, cf_agent: CfAgent, sorry: SorryScript
) -> None:
    """The second start finds it called already; ldirectord calls start and stop for each server at each start."""
    serving.servers[0].server.stop()
    cf_agent.configure(sorry_file(sorry, cleanstop="no"))
    for _ in range(2):
        cf_agent.start()
        until(lambda: len(sorry.calls) >= 3, what="start is called for each service")
        time.sleep(1.2)
        cf_agent.stop()

    assert sorry.calls == sorry_calls("start")


MONITORED = """
virtual={vip}:80
    real=10.0.0.1:80 gate
    real=10.0.0.2:80 masq 3
    real=10.0.0.3:80 gate
    real=10.0.0.1:81 masq
    service=http
    request="test.html"
    receive="te.t"
    virtualhost=www.example.com
    monitorfile="{file}"
virtual={vip}:81
    real=10.0.0.1:80 masq
    real=10.0.0.1:81 masq
    checktype=connect
    monitorfile={file}
virtual={vip}:82
    real=10.0.0.1:80 masq 5
    service=http
    request="missing?a=1"
    monitorfile={file}
virtual={vip}:83
    real=10.0.0.1:80 masq
    checktype=ping
    monitorfile={file}
virtual={vip}:84
    real=10.0.0.1:80 masq
    checktype=external
    checkcommand=/bin/true
    checktimeout=10
    negotiatetimeout=10
    monitorfile={file}
virtual={vip}:85
    real=10.0.0.1:80 masq
    checktype=external
    checkcommand=/bin/false
    checktimeout=10
    negotiatetimeout=10
    monitorfile={file}
virtual={vip}:86
    real=10.0.0.1:80 masq
    monitorfile={file}
virtual={vip}:87
    real=10.0.0.1:80 masq
    service=http
    checktype=2
    monitorfile={file}
virtual=10
    real=10.0.0.1 gate
    service=http
    monitorfile={file}
virtual={vip}:88
    real=10.0.0.2:8080 masq
    service=http
    monitorfile={file}
"""


def lines_of(path: Path) -> set[str]:
    """The lines of a monitor file without time and process."""
    text = path.read_text() if path.exists() else ""
    whole = re.compile(r"\[\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\] \[\d+\] (.*)")
    found = [whole.fullmatch(line) for line in text.splitlines()]
    assert None not in found, text
    return {line[1] for line in found if line}


@contextmanager
def ldirectord(cluster: Cluster, file: Path) -> Iterator[None]:
    """The real one, at work on the director."""
    directory = file.parent / "ldirectord"
    directory.mkdir()
    with (directory / "log").open("w") as log:
        process = cluster.director.start(
            "env",
            "-C",
            directory,
            "PERLIO=perlio",
            LDIRECTORD,
            "-d",
            file,
            "start",
            stdout=log.fileno(),
            stderr=log.fileno(),
        )
    yield
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_monitor_file_has_the_lines_that_ldirectord_writes(serving: Cluster, cf_agent: CfAgent, tmp_path: Path) -> None:
    """The same set for the same servers, but for time and process: up, wrong status, refused, hanging, maintenance."""
    file, maintenance = tmp_path / "monitor", tmp_path / "maintenance"
    maintenance.mkdir()
    (maintenance / "10.0.0.2:8080").touch()
    serving.servers[1].server.pause()
    serving.servers[2].directory.joinpath("test.html").unlink()
    text = f"{TIMES}maintenancedir={maintenance}\n" + MONITORED.format(vip=VIP, file=file)
    cf_agent.configure(text)
    with ldirectord(serving, cf_agent.path):
        until(lambda: len(lines_of(file)) == 15, what="ldirectord has written every line")
        time.sleep(6)
    theirs = lines_of(file)
    file.unlink()
    serving.director.run("ipvsadm", "-C")
    cf_agent.start(ready=False)
    until(lambda: len(lines_of(file)) >= len(theirs), what="the agent has written as many")
    time.sleep(3)

    assert lines_of(file) == theirs


@pytest.mark.parametrize("switch", ["yes", "no"])
def test_quiesced_row_that_was_deleted_by_hand(serving: Cluster, cf_agent: CfAgent, switch: str) -> None:
    """With readdquiescent=no it stays deleted until the server is up again; with yes it comes back at weight 0."""
    cf_agent.configure(
        f"{TIMES}quiescent=yes\nreaddquiescent={switch}\nvirtual={VIP}:80\n"
        f"    real=10.0.0.1:80 gate\n    real=10.0.0.2:80 gate\n{HTTP}"
    )
    cf_agent.start()
    serving.servers[1].server.stop()
    until(lambda: "10.0.0.2:80 0" in rows(serving), what="it is quiesced")
    serving.director.run("ipvsadm", "-d", "-t", f"{VIP}:80", "-r", "10.0.0.2:80")
    if switch == "yes":
        until(lambda: "10.0.0.2:80 0" in rows(serving), what="it is added again")
    else:
        time.sleep(4.0)
        assert rows(serving) == ["10.0.0.1:80 1"]
    serving.servers[1].server.start()
    until(lambda: rows(serving) == ["10.0.0.1:80 1", "10.0.0.2:80 1"], what="it is back in service")

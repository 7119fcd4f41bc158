"""lvs-agent beside the real ldirectord on the real IPVS, and the stub of ipvsadm beside the real ipvsadm."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvs_agent.errors import ConfigError
from lvs_agent.ldirectord.reader.reading import STATE_DIR
from tests.differential.differences import names_of_problems, names_of_rows
from tests.differential.files import Story
from tests.differential.ldirectord import Ldirectord
from tests.differential.oracle import installed
from tests.differential.ours import intent_of
from tests.differential.telling import story
from tests.differential.world import World
from tests.lab.agent import until
from tests.lab.namespace import new_network_namespace

pytestmark = pytest.mark.ipvs

LISTING = Path("/proc/thread-self/net/ip_vs")
STUB = Path(__file__).parents[1] / "differential" / "ipvsadm.pl"

SERVICES = st.sampled_from(
    ["-t 10.9.0.1:80", "-t 10.9.0.1:81", "-u 10.9.0.1:53", "-f 7", "-f 7 -6", "-t [2001:db8::1]:80"]
)
ODD_SERVICES = st.sampled_from(
    ["-t 10.9.0.1:0", "-f 0", "-f 4294967296", "-f 007", "-t 300.1.1.1:80", "-t 10.9.0.1:080"]
)
SCHEDULERS = st.sampled_from(["-s wrr", "-s wrr", "-s sh", "-s mh", "-s nosuch"])
OPTIONS = st.sampled_from(
    [
        *("", "", "", "-p 600", "-p 0", "-p 2678400", "-p 2678401", "-b sh-port,sh-fallback", "-b mh-port"),
        *("-b flag-1,flag-3", "-b nosuch"),
    ]
)
HOSTS = st.sampled_from(
    [
        *("10.0.0.5:80", "10.0.0.5:80", "10.0.0.5:8080", "10.0.0.6:0", "[2001:db8::5]:80", "[2001:db8::5]:0", ":0"),
        *("0.0.19.196:0", "0.0.0.0:80", "255.255.255.255:80", "224.0.0.1:80", "10.0.0.256:80", "10.0.0.5:65536"),
    ]
)
FORWARDING = st.sampled_from(["-g", "-m", "-i"])
WEIGHTS = st.sampled_from(["-w 1", "-w 0", "-w 65535", "-w 65536", "-w 4294967295", "-x 9 -y 3 -w 5", "-x 3 -y 9 -w 5"])


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """One after the other, with blanks between."""
    return st.tuples(*parts).map(" ".join)


def word(text: str) -> st.SearchStrategy[str]:
    """Always the same."""
    return st.just(text)


MASKED = st.sampled_from(
    [
        *("-t 10.9.0.1:82 -s wrr -p 600 -M 255.255.255.0", "-f 8 -s wrr -p 5 -M 255.255.255.255"),
        *("-f 8 -6 -s rr -p 600 -M 64", "-t [2001:db8::1]:82 -s rr -p 9 -M 128", "-f 9 -s wrr -p 5 -M 999.0.0.0"),
        *("-f 8 -6 -s rr -p 600 -M 129",),
    ]
)
KNOWN = st.one_of(SERVICES, SERVICES, SERVICES, ODD_SERVICES)
COMMANDS = st.one_of(
    joined(st.sampled_from(["-A", "-A", "-E"]), KNOWN, SCHEDULERS, OPTIONS),
    joined(word("-A"), SERVICES, word("-s wrr")),
    joined(st.sampled_from(["-A", "-E"]), MASKED),
    joined(word("-D"), KNOWN),
    *[joined(st.sampled_from(["-a", "-a", "-e"]), KNOWN, word("-r"), HOSTS, FORWARDING, WEIGHTS)] * 3,
    joined(word("-d"), KNOWN, word("-r"), HOSTS),
)
PRINTED = (("-S", "-n"), ("-L", "-n"), ("-L", "-n", "--thresholds"))


def output(program: str | Path, directory: Path, *arguments: str) -> tuple[int, list[str]]:
    """Exit status of a command and what it prints, in the order of the alphabet and without the head of a listing.

    ldirectord skips the head, and keeps services and destinations apart by what stands in front of them.
    """
    done = subprocess.run([program, *arguments], cwd=directory, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()[1 if "-L" in arguments else 0 :]
    return done.returncode, sorted(lines)


@pytest.mark.usefixtures("network_namespace")
def test_stub_of_ipvsadm_is_like_ipvsadm(tmp_path: Path) -> None:
    """For any arguments, it accepts and refuses the same as ipvsadm and the kernel, and prints the same table."""
    stub = tmp_path / "ipvsadm"
    shutil.copy(STUB, stub)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(commands=st.lists(COMMANDS, min_size=3, max_size=12))
    def ask(commands: list[str]) -> None:
        subprocess.run(["ipvsadm", "-C"], check=True)
        (tmp_path / "table").unlink(missing_ok=True)
        for command in commands:
            real, ours = (output(program, tmp_path, *command.split())[0] == 0 for program in ("ipvsadm", stub))
            assert ours is real, command
        for listing in PRINTED:
            assert output(stub, tmp_path, *listing) == output("ipvsadm", tmp_path, *listing)

    ask()


NUMBERS = (
    *(1000, 1001, 1002, 1003, 1006, 1007, 1008, 1011, 1012, 1013, 1014, 1015, 1016, 1018, 1019, 1022),
    *(1023, 1024, 1025, 1027, 1028, 1029, 1030, 1031, 1032),
)
"""Of the generated files: those that take long because of a difference with a name are few among them."""
_LIMITS = {b"checktimeout": b"2", b"negotiatetimeout": b"9"}
"""Seconds: the kernel itself answers connections and pings, and a ping without an answer takes the whole limit."""
_LIMIT = re.compile(rb"(?P<key>checktimeout|negotiatetimeout)\s*=\s*\d+")
MOST = 2
"""Virtual services in a file, and real servers in each: ldirectord starts a program for each change, slowly here."""
SCENARIOS = ("one down", "all down", "reload")
LISTEN = ("127.0.0.1", "9659")
PATIENCE_S, QUIET_S = 30.0, 10.0
"""How long a table may take until it is as desired, and how long it must then stay unchanged: lvs-agent checks
each second, needs up to two failures, and a check worker imports the libraries of new kinds first."""


class Director:
    """One lvs-agent for all files: each is put in force by a reload, on an empty table."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / f"differential-{os.getpid()}.cf"
        self._log = directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    def configure(self, text: bytes) -> None:
        """Put ``text`` in force."""
        self._said_before = len(self._log.read_text()) if self._log.exists() else 0
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(text)
        fresh.rename(self._file)
        if self._process is None:
            self._process = self._started()
            until(self._is_ready, what="the agent is ready")
        else:
            self._process.send_signal(signal.SIGHUP)
            self._process.send_signal(signal.SIGCONT)

    def said(self) -> str:
        """What it has logged since it was configured last."""
        return self._log.read_text()[self._said_before :]

    def pause(self) -> None:
        """Pause it until it is configured again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def settled(self, wanted: Sequence[str]) -> list[str]:
        """The table once it is ``wanted``, or nothing changes any more, or all patience is at its end."""
        listed, changed = LISTING.read_text(), time.monotonic()
        found = table()
        give_up = changed + PATIENCE_S
        while found != wanted and time.monotonic() < min(give_up, changed + QUIET_S):
            time.sleep(0.1)
            # ipvsadm is started where there is something new: each start takes 30 ms of the kernel's one processor.
            if (now := LISTING.read_text()) != listed:
                listed, changed, found = now, time.monotonic(), table()
        return table()

    def close(self) -> None:
        """End it, and remove its state."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(STATE_DIR / self._file.name, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        command = ("run", "--config", self._file, "--config-format", "ldirectord", "--listen", ":".join(LISTEN))
        with self._log.open("wb") as log:
            return subprocess.Popen([sys.executable, "-m", "lvs_agent", *command], stdout=log, stderr=log)

    def _is_ready(self) -> bool:
        """Whether it handles signals and checks servers."""
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        connection = http.client.HTTPConnection(":".join(LISTEN))
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()


def table() -> list[str]:
    """The lines of ``ipvsadm -S -n``, sorted."""
    printed = subprocess.run(["ipvsadm", "-S", "-n"], capture_output=True, text=True, check=True).stdout
    return sorted(line.strip() for line in printed.splitlines())


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The hosts to check, in a network namespace of their own."""
    with new_network_namespace(), World() as world:
        yield world


@pytest.fixture(scope="module")
def director(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Director]:
    """lvs-agent, to be configured."""
    director = Director(tmp_path_factory.mktemp("director"))
    yield director
    director.close()


def lab_story(number: int) -> Story:
    """A small story in which everything is checked each second, with time limits that a busy machine keeps."""
    one = story(number, most=MOST)
    return replace(one, before=_in_time(one.before), after=_in_time(one.after))


def _in_time(text: bytes) -> bytes:
    common = b"".join(b"%b=%b\n" % each for each in [(b"checkinterval", b"1"), *_LIMITS.items()])
    limited = _LIMIT.sub(lambda found: b"%b=%b" % (found["key"], _LIMITS[found["key"]]), text)
    return limited.replace(b"\nvirtual", b"\n" + common + b"virtual", 1)


def problems_of(text: bytes) -> list[str]:
    """What lvs-agent says where it does not take a file."""
    try:
        intent_of(text)
    except ConfigError as error:
        return list(map(str, error.problems))
    return []


def until_well(world: World) -> None:
    """Wait until every host accepts connections again."""
    world.take_down([])
    give_up = time.monotonic() + PATIENCE_S
    for host in sorted(world.hosts):
        while True:
            try:
                socket.create_connection((host, 80), 1).close()
            except OSError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)
            else:
                break


def ldirectord_s(one: Story, scenario: str, world: World) -> list[list[str]]:
    """The tables with which the real ldirectord ends: with everything up, and after the scenario."""
    until_well(world)
    subprocess.run(["ipvsadm", "-C"], check=True)
    with tempfile.TemporaryDirectory() as name, Ldirectord(Path(name), one.before, stub=False) as theirs:
        found = [theirs.rules()]
        if scenario == "reload":
            # It misses what changes before its first rounds are over.
            theirs.rounds(1)
            theirs.reload(one.after, by_signal=one.by_signal)
        else:
            world.take_down([one.down] if scenario == "one down" else world.hosts)
        theirs.rounds(3)
        return [*found, theirs.rules()]


def lvs_agent_s(
    one: Story, scenario: str, world: World, director: Director, wanted: list[list[str]]
) -> list[list[str]]:
    """The same from lvs-agent, which gets time to end with what is ``wanted``."""
    world.take_down([])
    subprocess.run(["ipvsadm", "-C"], check=True)
    director.configure(one.before)
    found = [director.settled(wanted[0])]
    if scenario == "reload":
        director.configure(one.after)
    else:
        world.take_down([one.down] if scenario == "one down" else world.hosts)
    return [*found, director.settled(wanted[1])]


@pytest.mark.skipif(not installed(), reason="needs the package ldirectord")
@pytest.mark.parametrize("number", NUMBERS)
def test_tables_in_the_kernel_are_those_of_ldirectord(number: int, world: World, director: Director) -> None:
    """ldirectord and lvs-agent, one after the other on one kernel, end alike but for differences with a name."""
    one, scenario = lab_story(number), SCENARIOS[number % len(SCENARIOS)]
    if untaken := [problem for text in (one.before, one.after) for problem in problems_of(text)]:
        assert "" not in names_of_problems(untaken)
        return
    director.pause()
    theirs = ldirectord_s(one, scenario, world)
    ours = lvs_agent_s(one, scenario, world, director, theirs)
    first = names_of_rows([one.before], theirs[0], ours[0])
    last = names_of_rows([one.before, one.after], theirs[1], ours[1])

    assert "" not in first, (one.before.decode(), theirs[0], ours[0], director.said())
    assert "" not in last, ((one.before + one.after).decode(), theirs[1], ours[1], director.said())

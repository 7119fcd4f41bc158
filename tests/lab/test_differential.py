"""lvs-agent beside the real ldirectord on the real IPVS, and the stub of ipvsadm beside the real ipvsadm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.ipvs, pytest.mark.usefixtures("network_namespace")]

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


def test_stub_of_ipvsadm_is_like_ipvsadm(tmp_path: Path) -> None:
    """Whatever is asked of it, it takes and refuses what ipvsadm and the kernel do, and prints the same table."""
    stub = tmp_path / "ipvsadm"
    shutil.copy(STUB, stub)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
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

"""What can be seen in the booted machine: units, processes, the kernel's table, what an agent answers."""

from __future__ import annotations

import pwd
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE_S = 40.0


def run(*command: str) -> str:
    """The output of a command that succeeds."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def show(unit: str) -> dict[str, str]:
    """The properties of a unit."""
    return dict(line.split("=", 1) for line in run("systemctl", "show", unit).splitlines() if "=" in line)


def journal(unit: str) -> str:
    """The journal of a unit since the boot."""
    return run("journalctl", "-b", "-o", "cat", "-u", unit)


def table() -> list[str]:
    """What would restore the table."""
    return sorted(run("ipvsadm", "-S", "-n").splitlines())


def outline() -> tuple[str, ...]:
    """The services, destinations and weights of the table, without counts."""
    lines = Path("/proc/net/ip_vs").read_text(encoding="utf-8").splitlines()[3:]
    return tuple(" ".join(line.split()[:4]) for line in lines)


def connections(service: str) -> int:
    """How many connections a TCP service has had: fewer than before if it was deleted and made again."""
    for line in run("ipvsadm", "-L", "-n", "--stats", "--exact").splitlines():
        if line.startswith(f"TCP  {service} "):
            return int(line.split()[2])
    return -1


def get(path: str, port: int = 9659) -> str:
    """What an agent answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def process(pid: str) -> dict[str, str]:
    """Who runs a process, with which capabilities, limits and view of /proc."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    facts = {name: status[name].strip() for name in ("Uid", "Gid", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")}
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    proc = [line for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines() if " /proc " in line]
    files = next(line for line in limits if line.startswith("Max open files"))
    return {**facts, "files": files.split()[3], "proc": proc[-1]}


def family(unit: str) -> list[list[str]]:
    """Name, user and permitted capabilities of each process of a unit, programs of checks left out."""
    found = []
    for pid in processes(unit):
        with suppress(FileNotFoundError, ProcessLookupError):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            name, user = status["Name"].strip(), pwd.getpwuid(int(status["Uid"].split()[1])).pw_name
            if user != "lvs-agent-command":
                found.append([name, user, status["CapPrm"].strip().lstrip("0")])
    return sorted(found)


def processes(unit: str) -> set[str]:
    """The processes of a unit: a question that costs systemd nothing."""
    try:
        return set(Path("/sys/fs/cgroup/system.slice", unit, "cgroup.procs").read_text().split())
    except OSError:
        return set()


def modes(*paths: str) -> list[str]:
    """Path, owner, group and mode of each."""
    return run("stat", "-c", "%n %U:%G %a", *paths).splitlines()


def until(what: str, holds: Callable[[], bool], *, every_s: float = 0.1) -> float:
    """The seconds until it holds.  Raises TimeoutError.  To ask costs time that what is waited for could use."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        try:
            if holds():
                return time.monotonic() - began
        except OSError:
            pass  # nobody listens yet
        time.sleep(every_s)
    raise TimeoutError(f"not within {PATIENCE_S} s: {what}; {outline()}")


def destinations(service: str) -> list[str]:
    """The destinations of a service, which is named as in /proc/net/ip_vs."""
    found, inside = [], False
    for line in outline():
        if not line.startswith("->"):
            inside = service in line
        elif inside:
            found.append(line)
    return found


@contextmanager
def watched() -> Iterator[set[tuple[str, ...]]]:
    """Every state that the table has meanwhile."""
    seen: set[tuple[str, ...]] = {outline()}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            seen.add(outline())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        seen.add(outline())

"""The processes below the agent, as /proc has them."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from pathlib import Path

STARTER, WORKER = "lvs-starter", "lvs-check"
_GONE = (FileNotFoundError, ProcessLookupError)


def descendants(pid: int) -> list[int]:
    """Every process below ``pid``."""
    found = []
    with suppress(*_GONE):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def name_of(pid: int) -> str:
    """What it calls itself; empty where the process has gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except _GONE:
        return ""


def status_of(pid: int) -> dict[str, str]:
    """What /proc/PID/status says."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def starter_of(agent: int) -> int:
    """The process that starts the others."""
    (starter,) = [pid for pid in descendants(agent) if name_of(pid) == STARTER]
    return starter


def workers_of(agent: int) -> list[int]:
    """The processes that run the checks."""
    return [pid for pid in descendants(agent) if name_of(pid) == WORKER]


def worker_of(agent: int) -> int:
    """The one process that runs the checks."""
    (worker,) = workers_of(agent)
    return worker


def runner_of(agent: int) -> int | None:
    """The process that starts programs."""
    for pid in descendants(agent):
        with suppress(*_GONE):
            if b"commands.runner" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


def state_of(pid: int) -> str:
    """The letter that ps shows; empty where the process has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except _GONE:
        return ""


def limit_descriptors(pid: int, most: int | None = None) -> None:
    """Let a process have no more descriptors than these from now on; None: as many as it may have at most.

    A process may do that to another one of the same user.
    """
    status, limits = (Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8") for name in ("status", "limits"))
    user, group = (int(re.findall(rf"{name}:\t(\d+)", status)[0]) for name in ("Uid", "Gid"))
    (hard,) = re.findall(r"Max open files +\d+ +(\d+)", limits)
    command = ["prlimit", f"--pid={pid}", f"--nofile={hard if most is None else most}:{hard}"]
    subprocess.run(command, user=user, group=group, extra_groups=[], check=True)


def is_alive(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    return state_of(pid) not in {"", "Z"}

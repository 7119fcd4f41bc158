"""The common base of all tests against real daemons: each runs from Debian's package, on loopback, out of a directory
of its own, in the foreground; it is stopped, hung (SIGSTOP) and resumed by its process id, with all its descendants.

A module of this package describes one daemon by a context manager of its own over ``home`` and ``running``.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path

import pytest

ADDRESS = "127.0.0.1"
READY_S = 20.0
"""How long a daemon may take to accept, on a busy machine."""
_STOP_S = 5.0
_BELOW_EPHEMERAL = range(20_000, 32_000)
"""Ports that no outgoing connection of another test takes in the meantime."""
_LOG_SHOWN = 3_000


def needs(*packages: str, root: bool = True) -> pytest.MarkDecorator:
    """A mark for tests that need Debian's ``packages`` (and root, which most daemons want before they give it up)."""
    missing = [package for package in packages if not _installed(package)]
    if root and os.geteuid() != 0:
        missing.append("root")
    return pytest.mark.skipif(bool(missing), reason=f"missing: {', '.join(missing)}")


@cache
def _installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    command = ["dpkg-query", "-W", "-f=${db:Status-Status}", package]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "installed"


@contextmanager
def home(name: str, *, owner: str | None = None) -> Iterator[Path]:
    """A new directory that every user may enter and that is gone afterwards; its path is short, for sockets in it."""
    directory = Path(tempfile.mkdtemp(prefix=f"lvs-{name}-"))
    directory.chmod(0o755)
    if owner is not None:
        give(directory, to=owner)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def give(path: Path, *, to: str) -> None:
    """Make the user (and his group) the owner of a file or directory."""
    entry = pwd.getpwnam(to)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def free_port() -> int:
    """A port of loopback that is free for TCP and UDP, over IPv4 and IPv6."""
    while True:
        port = secrets.choice(_BELOW_EPHEMERAL)  # the random module is seeded before each test
        if _free(port):
            return port


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        for family, address in ((socket.AF_INET, ADDRESS), (socket.AF_INET6, "::1")):
            with socket.socket(family, kind) as trial:
                try:
                    trial.bind((address, port))
                except OSError:
                    return False
    return True


def accepts(port: int, *, address: str = ADDRESS) -> bool:
    """Whether a TCP connection is accepted."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as trial:
        trial.settimeout(1)
        return trial.connect_ex((address, port)) == 0


def until(condition: Callable[[], object], *, what: str, within_s: float = READY_S) -> None:
    """Wait until ``condition`` holds.  Raises TimeoutError."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)


class Daemon:
    """One daemon; ``running`` makes and ends it.

    ``command`` must stay in the foreground.  ``ready`` says whether it serves; ``user`` is whom it runs as (None: us).
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        home: Path,
        ready: Callable[[], object],
        user: str | None,
        environment: Mapping[str, str],
    ) -> None:
        self.home = home
        self._command = [str(word) for word in command]
        self._ready = ready
        self._user = user
        self._environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **environment}
        self._output = home / "output.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id.  Raises RuntimeError where it does not run."""
        if self._process is None:
            raise RuntimeError(f"{self._command[0]} does not run")
        return self._process.pid

    @property
    def output(self) -> str:
        """What it wrote to its standard output and error."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def start(self) -> None:
        """Start it, and wait until it is ready.  Raises RuntimeError with its output where it ends or takes long."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._prefix(), *self._command],
                cwd=self.home, env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        try:
            until(self._serves_or_died, what="ready")
        except TimeoutError:
            self.stop()
            raise RuntimeError(f"{self._command[0]} is not ready: {self.output[-_LOG_SHOWN:]}") from None

    def stop(self) -> None:
        """Ask it to end, and kill what is left of it and its descendants."""
        process, self._process = self._process, None
        if process is None:
            return
        members = family(process.pid)
        for member in members:
            _signal(member, signal.SIGCONT)
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(ProcessLookupError):  # the list of members may lack one that was just born or moved
            os.killpg(process.pid, signal.SIGKILL)
        until(lambda: not _live_members(process.pid), what="all have ended", within_s=_STOP_S)

    def hang(self) -> None:
        """Stop it and its descendants in the middle of whatever they do.  The kernel goes on accepting for it."""
        stopped: set[int] = set()
        while new := set(family(self.pid)) - stopped:
            for member in new:
                _signal(member, signal.SIGSTOP)
            until(partial(_are_still, new), what="all are stopped", within_s=5)
            stopped |= new

    def resume(self) -> None:
        """Let it go on."""
        for member in family(self.pid):
            _signal(member, signal.SIGCONT)
        until(self._ready, what="ready again")

    @contextmanager
    def hung(self) -> Iterator[None]:
        """It hangs, for a while."""
        self.hang()
        try:
            yield
        finally:
            self.resume()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It does not run, for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def _prefix(self) -> list[str]:
        """Nothing that a test started survives it, even if it is killed."""
        prefix = ["setpriv", "--pdeathsig", "TERM"]
        if self._user is not None:
            group = str(pwd.getpwnam(self._user).pw_gid)
            prefix += ["--reuid", self._user, "--regid", group, "--init-groups"]
        return [*prefix, "--"]

    def _serves_or_died(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            self._process = None
            raise RuntimeError(f"{self._command[0]} has ended: {self.output[-_LOG_SHOWN:]}")
        return bool(self._ready())


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    home: Path,
    ready: int | Callable[[], object],
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Daemon]:
    """The daemon, ready to serve, until the end.  ``ready``: a TCP port that accepts then, or what says so."""
    test = (lambda: accepts(ready)) if isinstance(ready, int) else ready
    daemon = Daemon(command, home=home, ready=test, user=user, environment=environment or {})
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for parent in found:
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += [int(number) for number in (thread / "children").read_text().split()]
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _are_still(pids: Iterable[int]) -> bool:
    return all(_state(pid) in "TZX" for pid in pids)


def _live_members(group: int) -> list[int]:
    """The processes of the group, without those that only wait to be reaped."""
    found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [pid for pid in found if _fields(pid)[2] == str(group) and _state(pid) not in "ZX"]


def _state(pid: int) -> str:
    """The letter that the kernel shows for the process's state; X where it is gone."""
    return _fields(pid)[0]


def _fields(pid: int) -> list[str]:
    """State, parent, group and so on of the process, as proc(5) has them."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["X", "", ""]

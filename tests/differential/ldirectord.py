"""The real ldirectord at work, round by round: every change of the world comes between two of its rounds.

What makes this exact and quick: the last virtual service of the file is ours.  Its check is a program that says that
the round has come to its end, and waits to be let go; and a signal that means nothing to ldirectord (SIGCHLD) ends its
sleep between two rounds.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.differential import forks

MARK = 999_999
"""The firewall mark of our own service."""
PATIENCE_S = 30.0
_NUDGE_S = 0.01
_CLOCK_NANOSLEEP = {"230", "115"}
"""The system call of sleep(3), on x86_64 and on others (asm-generic/unistd.h)."""
_STUB = Path(__file__).with_name("ipvsadm.pl")


class Ldirectord:
    """One run of it on ``text``; within a ``with`` block, so that no process is left behind.

    Its files are in ``directory``.  With ``stub`` the table is a file there, else the kernel's.
    """

    def __init__(self, directory: Path, text: bytes, *, stub: bool = True) -> None:
        self._directory = directory
        self._stub = stub
        self._file = directory / "it.cf"
        self._write(text)
        if stub:
            shutil.copy(_STUB, directory / "ipvsadm")
            (directory / "ipvsadm").chmod(0o755)
        script = directory / "round"
        script.write_text(f"#!/bin/sh\necho >{directory}/done\nread -r _ <{directory}/go\n")
        script.chmod(0o755)
        self._done, self._go = _pipe(directory / "done"), _pipe(directory / "go")

    def __enter__(self) -> Self:
        log = self._directory / "log"
        self._process = forks.start("-d", self._file, "start", directory=self._directory, log=log)
        # One round while it starts, and another one at once.
        self._wait()
        self.rounds(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        os.close(self._done)
        os.close(self._go)

    def rounds(self, number: int) -> None:
        """Let it make so many whole rounds."""
        for _ in range(number):
            os.write(self._go, b"\n")
            self._wait()

    def reload(self, text: bytes, *, by_signal: bool) -> None:
        """Replace the configuration and let it be read, by SIGHUP or because it has changed."""
        self._write(text)
        os.utime(self._file, (time.time(), self._file.stat().st_mtime + 5))
        if by_signal:
            self._process.send_signal(signal.SIGHUP)
        # The round that it is in, the one that belongs to the reading, and one more.
        self.rounds(2)

    def rules(self) -> list[str]:
        """The table as ``ipvsadm -S -n`` prints it, without our own service, sorted."""
        program = "./ipvsadm" if self._stub else "ipvsadm"
        printed = subprocess.run(
            [program, "-S", "-n"], cwd=self._directory, capture_output=True, text=True, check=True
        ).stdout
        return sorted(line.strip() for line in printed.splitlines() if f" -f {MARK} " not in line)

    def log(self) -> str:
        """What it said."""
        return (self._directory / "log").read_text(errors="replace")

    def calls(self) -> list[str]:
        """Every change that it asked of the stub, with its exit status in front."""
        return (self._directory / "calls").read_text().splitlines()

    def _write(self, text: bytes) -> None:
        own = [
            f"virtual={MARK}",
            "    real=127.0.0.1:9 masq 1",
            "    checktype=external",
            f"    checkcommand={self._directory}/round",
            f"    checktimeout={PATIENCE_S * 4:g}",
            "    fallbackcommand=/bin/true",
            "    quiescent=no",
        ]
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(text.rstrip(b"\n") + b"\n" + "".join(f"{line}\n" for line in own).encode())
        fresh.rename(self._file)

    def _wait(self) -> None:
        """Until the round is over."""
        give_up = time.monotonic() + PATIENCE_S
        while not select.select([self._done], [], [], _NUDGE_S)[0]:
            if self._process.ended() or time.monotonic() > give_up:
                raise RuntimeError(f"ldirectord has ended or hangs: {self.log()[-2000:]}")
            if self._sleeps():
                self._process.send_signal(signal.SIGCHLD)
        os.read(self._done, 1)

    def _sleeps(self) -> bool:
        """Whether it sleeps between two rounds.  A signal at another time fails the connection that it waits for."""
        calls = Path(f"/proc/{self._process.pid}/syscall").read_text().split()
        return calls[0] in _CLOCK_NANOSLEEP


def _pipe(path: Path) -> int:
    os.mkfifo(path)
    return os.open(path, os.O_RDWR)

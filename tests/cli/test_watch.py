from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from lvs_agent.web.server import bind
from tests.cli.agents import serving
from tests.cli.commands import here
from tests.forkserver import COMMAND

PATIENCE_S = 40.0


class Screen:
    """A terminal in which a command runs, and what it has written there."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.written = ""
        self._master = master
        self._process = process

    def wait_for(self, wanted: str, *, after: int = 0) -> int:
        """Read until the pattern ``wanted`` stands behind the character ``after``; where it ends."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := re.compile(wanted).search(self.written, after)) is None:
            assert time.monotonic() < deadline, f"no {wanted!r} in {self.written[after:]!r}"
            self._read()
        return found.end()

    def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        self._process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + PATIENCE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read()
        self._read()
        return self._process.wait(1)

    def _read(self) -> None:
        # A terminal whose other side is closed raises an error, and has nothing more to say.
        with suppress(OSError):
            if select.select([self._master], [], [], 0.1)[0]:
                self.written += os.read(self._master, 65_536).decode(errors="replace")


@contextmanager
def terminal(*arguments: str) -> Iterator[Screen]:
    """``lvs-agent`` with ``arguments`` in a terminal of 40 lines and 160 columns."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "LINES": "40", "COLUMNS": "160"}
    with subprocess.Popen([*COMMAND, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        try:
            yield Screen(master, process)
        finally:
            process.kill()
            process.wait()
            os.close(master)


@contextmanager
def piped(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``lvs-agent`` with ``arguments``, writing into pipes."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *arguments], stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(stream: IO[str] | None, wanted: str) -> list[str]:
    """The lines of ``stream`` up to the first with ``wanted`` in it; the test's time limit is its own."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if wanted in line:
            return lines
    raise AssertionError(f"no {wanted!r} in {lines}")


def test_terminal_shows_one_screen_that_outlives_the_agent() -> None:
    """The worst comes first; an agent that goes is said to be gone and its last word stays; Ctrl-C is the good end."""
    listener = bind(("127.0.0.1", 0))
    where = listener.getsockname()[:2]
    with terminal("status", "--url", f"http://{where[0]}:{where[1]}", "--watch", "0.2") as screen:
        with serving(listener=listener):
            screen.wait_for(re.escape("\x1b[?1049h"))
            screen.wait_for(r"as of 2023-11-14 22:13:20Z, every 0\.2 s")
            shown = screen.wait_for("shop")
            assert "intranet" in screen.written[:shown]
        gone = screen.wait_for("no answer since 2023-11-14 22:13:20Z")
        screen.wait_for("intranet", after=gone)
        with serving(listener=bind(where)):
            screen.wait_for(r"as of 2023-11-14 22:13:20Z", after=gone)
        assert screen.interrupt() == 0

    assert "\x1b[?1049l" in screen.written
    assert "Traceback" not in screen.written


def test_other_programs_get_one_document_after_the_other() -> None:
    """No screen is drawn where there is none, and an agent that is away costs a line and not the command."""
    listener = bind(("127.0.0.1", 0))
    where = listener.getsockname()[:2]
    with piped("status", "--url", f"http://{where[0]}:{where[1]}", "--service", "dns", "--watch", "0.1") as command:
        with serving(listener=listener):
            told = read_until(command.stdout, "lvs-agent 0") + read_until(command.stdout, "lvs-agent 0")
        read_until(command.stderr, "error: ")
        with serving(listener=bind(where)):
            read_until(command.stdout, "dns udp/203.0.113.53:53")
            command.send_signal(signal.SIGINT)
            rest, _ = command.communicate(timeout=PATIENCE_S)

    assert command.returncode == 0
    assert "\x1b" not in "".join(told) + rest
    assert "dns udp/203.0.113.53:53" in "".join(told)


def test_json_is_one_line_each_time() -> None:
    """For programs that follow it."""
    with serving() as url, piped("status", "--url", url, "--json", "--watch", "0.1") as command:
        assert command.stdout is not None
        documents = [json.loads(command.stdout.readline()) for _ in range(2)]
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=PATIENCE_S)

    assert [len(document["services"]) for document in documents] == [14, 14]
    assert command.returncode == 0


def test_service_that_nobody_knows_ends_the_watch() -> None:
    """A mistyped name will not be right the next time either."""
    with serving() as url:
        ended = here("status", "--url", url, "--service", "dsn", "--watch")

    assert ended.returncode == 2
    assert "did you mean dns?" in ended.stderr


def test_period_must_be_a_real_one() -> None:
    """Zero seconds would be a storm of requests."""
    ended = here("status", "--watch", "0")

    assert ended.returncode == 2
    assert "--watch" in ended.stderr

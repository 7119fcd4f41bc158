"""Files that the starter opens for the agent."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvs_agent.workers.processes import Starter


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    """It may open what is below ``tmp_path``."""
    with Starter.fork(readable=[tmp_path]) as starter:
        yield starter


def content(starter: Starter, path: Path) -> bytes:
    """What the starter's descriptor of a file gives."""
    with os.fdopen(starter.open(path), "rb") as file:
        return file.read()


def descriptors() -> int:
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_answer_that_comes_too_late_is_not_taken_for_the_next(
    starter: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A starter that was stopped goes on with the file that nobody waits for."""
    for name in ("first", "second"):
        (tmp_path / name).write_text(name)
    patience_s = starter._files.gettimeout()
    starter._files.settimeout(0.05)
    os.kill(starter.pid, signal.SIGSTOP)
    with pytest.raises(OSError, match="timed out"):
        starter.open(tmp_path / "first")
    os.kill(starter.pid, signal.SIGCONT)
    starter._files.settimeout(patience_s)
    before = descriptors()

    assert content(starter, tmp_path / "second") == b"second"
    assert descriptors() == before


def test_what_is_no_file_below_the_directories_is_not_opened(
    starter: Starter, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nor a pipe, at which a reader would wait, nor a socket, nor a path with a space in it that is not there."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "file"
    elsewhere.write_text("elsewhere")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "link").symlink_to(elsewhere)
    (tmp_path / "a file").write_text("a file")
    names = [str(elsewhere), "link", "loop", "pipe", "socket", "", "..", "not here", "\udcff", "n" * 300, "x/" * 3000]
    for name in names:
        with pytest.raises(OSError, match=r"\S"):
            starter.open(tmp_path / name)

    assert content(starter, tmp_path / "a file") == b"a file"

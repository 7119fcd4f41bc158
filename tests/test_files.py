"""The agent's own files, in a directory in which somebody else has put something."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lvs_agent.control import journal_store, memory
from lvs_agent.files import open_own, replace_file

NAME = "state.json"


def link(path: Path) -> None:
    """To a file elsewhere."""
    path.symlink_to(path.parent.parent / "elsewhere")


def dangling(path: Path) -> None:
    """To nothing yet."""
    path.symlink_to(path.parent.parent / "nowhere")


def unix_socket(path: Path) -> None:
    """Of a server that is gone."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The directory of the agent, beside a file that is not the agent's."""
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.mark.parametrize("put", [link, dangling, os.mkfifo, unix_socket, os.mkdir])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC])
def test_only_a_regular_file_is_opened(put: Callable[[Path], None], flags: int, directory: Path) -> None:
    """What a link leads to stays as it is, and nobody waits for the other end of a pipe."""
    put(directory / NAME)
    with pytest.raises(OSError, match=r"\S"):
        open_own(directory / NAME, flags)

    assert (directory.parent / "elsewhere").read_text() == "theirs"
    assert not (directory.parent / "nowhere").exists()


def test_file_is_not_replaced_through_a_link(directory: Path) -> None:
    """The name of the new file is known before, so somebody may be there first."""
    link(directory / "state.new")
    with pytest.raises(OSError, match="symbolic links"):
        replace_file(directory / NAME, [b"ours"])

    assert (directory.parent / "elsewhere").read_text() == "theirs"


def test_link_in_the_place_of_the_file_is_replaced_itself(directory: Path) -> None:
    """As rename(2) does; what it led to stays."""
    link(directory / NAME)
    replace_file(directory / NAME, [b"ours"])

    assert (directory / NAME).read_bytes() == b"ours"
    assert (directory.parent / "elsewhere").read_text() == "theirs"


def test_directory_of_everybody_is_not_used(directory: Path) -> None:
    """Whoever may write there could say which services are the agent's."""
    (directory / memory.FILE_NAME).write_text('{"version": 1}')
    (directory / journal_store.FILE_NAME).write_text("")
    directory.chmod(0o1777)

    assert memory.recall(directory) == memory.Memory()
    with pytest.raises(PermissionError, match="everybody may write"):
        memory.remember(memory.Memory(), directory)
    with pytest.raises(PermissionError, match="everybody may write"):
        journal_store.append(directory, b"x")


def test_pipe_in_the_place_of_the_state_holds_up_no_start(directory: Path) -> None:
    """The agent starts without a memory."""
    os.mkfifo(directory / memory.FILE_NAME)

    assert memory.recall(directory) == memory.Memory()

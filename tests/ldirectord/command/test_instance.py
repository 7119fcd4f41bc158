"""Pid files, whose locks tell who lives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.errors import StartError
from lvs_agent.ldirectord.command.instance import (
    Instance,
    Record,
    State,
    claim,
    ended_within,
    find,
    forget,
    look,
    one_at_a_time,
    pid_file,
    write,
)

RECORD = Record(pid=7, config="/etc/ha.d/web.cf", log="/var/log/web.log", address="127.0.0.1:9659")
lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"))


@contextmanager
def held(path: Path, record: Record | None = RECORD) -> Iterator[int]:
    """Within the block somebody lives who holds the pid file."""
    descriptor = claim(path)
    assert descriptor is not None
    try:
        if record is not None:
            write(descriptor, record)
        yield descriptor
    finally:
        os.close(descriptor)


def test_lock_tells_who_lives(tmp_path: Path) -> None:
    """Not the number in the file: it is the same before and after the end."""
    path = tmp_path / "web.pid"
    before = look(path)
    with held(path):
        alive = look(path)
    after = look(path)
    forget(path)

    assert before == look(path) == Instance(path=path, state=State.STOPPED, record=None)
    assert alive == Instance(path=path, state=State.RUNNING, record=RECORD)
    assert after == Instance(path=path, state=State.STALE, record=RECORD)


def test_pid_file_is_claimed_by_one_at_a_time(tmp_path: Path) -> None:
    """A second claim fails, and leaves what the first has written."""
    path = tmp_path / "web.pid"
    with held(path):
        assert claim(path) is None
        assert look(path).record == RECORD


def test_claim_forgets_what_a_dead_agent_wrote(tmp_path: Path) -> None:
    """The new one must never be taken for the old one."""
    path = tmp_path / "web.pid"
    with held(path):
        pass
    with held(path, record=None):
        assert look(path) == Instance(path=path, state=State.RUNNING, record=None)


@given(pid=st.integers(1, 2**22), config=lines.filter(bool), log=lines, address=st.none() | lines.filter(bool))
def test_record_is_read_as_it_was_written(pid: int, config: str, log: str, address: str | None) -> None:
    """Whatever is in a path; the first line is the number, for every program that reads pid files."""
    record = Record(pid=pid, config=config, log=log, address=address)
    with TemporaryDirectory() as name:
        path = Path(name, "web.pid")
        with held(path, record=record):
            assert look(path).record == record
            assert path.read_bytes().split(b"\n")[0] == str(pid).encode()


def test_end_is_waited_for(tmp_path: Path) -> None:
    """Not longer than asked to."""
    path = tmp_path / "web.pid"
    with held(path):
        assert not ended_within(path, seconds=0.05)
    assert ended_within(path, seconds=0)


def test_one_that_lives_is_found_before_one_that_is_gone(tmp_path: Path) -> None:
    """Where a name may stand for several files."""
    gone, alive = Path("/etc/ha.d/web.cf"), Path("/etc/ha.d/conf/web.cf")
    with held(pid_file(gone, directory=tmp_path)):
        pass
    with held(pid_file(alive, directory=tmp_path)):
        found = find([gone, alive], directory=tmp_path)

    assert found is not None
    assert found.path == pid_file(alive, directory=tmp_path)


def test_files_of_one_name_have_different_pid_files(tmp_path: Path) -> None:
    """The name alone would be too little."""
    assert pid_file(Path("/a/web.cf"), directory=tmp_path) != pid_file(Path("/b/web.cf"), directory=tmp_path)
    assert find([Path("/a/web.cf")], directory=tmp_path) is None


def test_pid_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """Nobody is to have another file emptied by laying a link."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "web.pid"
    path.symlink_to(victim)

    with pytest.raises(StartError, match="--run-dir"):
        claim(path)
    assert victim.read_text() == "precious"


def test_directory_is_made_and_a_file_in_its_place_refused(tmp_path: Path) -> None:
    """It may well be the first time, after every boot."""
    with one_at_a_time(tmp_path / "run" / "lvs-agent" / "web.pid"):
        pass
    (tmp_path / "file").touch()

    assert (tmp_path / "run" / "lvs-agent").is_dir()
    with pytest.raises(StartError, match="choose another directory"), one_at_a_time(tmp_path / "file" / "web.pid"):
        pass

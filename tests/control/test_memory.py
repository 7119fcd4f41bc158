from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from lvs_agent.control.memory import FILE_NAME, Keeper, Memory, recall, remember
from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import ServerStatus
from lvs_agent.model.ipvs import Family
from tests.builders import destination_key, fwmark_key, service_key

MEMORY = Memory(
    owned=frozenset(
        {service_key(), service_key(protocol="sctp", address="2001:db8::1"), fwmark_key(family=Family.INET6)}
    ),
    servers={
        (service_key(), destination_key()): ServerStatus(Health.DOWN, since=12.5),
        (fwmark_key(), destination_key(address="2001:db8::2", port=0)): ServerStatus(),
    },
    withdrawn=frozenset({(service_key(), destination_key())}),
    sorry=frozenset({fwmark_key()}),
    maintained=frozenset({(service_key(), destination_key())}),
    below_quorum=frozenset({service_key()}),
)


def test_memory_survives_a_process(tmp_path: Path) -> None:
    """What one process writes down the next one reads, in a directory that need not exist."""
    remember(MEMORY, tmp_path / "new" / "place")

    assert recall(tmp_path / "new" / "place") == MEMORY


def test_missing_file_is_an_empty_memory_without_complaint(tmp_path: Path) -> None:
    """The first start is nothing to write home about."""
    with capture_logs() as lines:
        assert recall(tmp_path) == Memory()

    assert lines == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="torn"),
        pytest.param("[]", id="no object"),
        pytest.param('{"version": 7}', id="version of the future"),
        pytest.param('{"version": 1, "owned": ["tcp/nowhere"], "servers": []}', id="no address"),
        pytest.param('{"version": 1, "owned": [], "servers": [{}]}', id="no server"),
        pytest.param('{"version": 1, "owned": 5, "servers": []}', id="no list"),
        pytest.param("[" * 100_000, id="too deep"),
    ],
)
def test_unusable_file_is_an_empty_memory_with_a_warning(tmp_path: Path, text: str) -> None:
    """A damaged file costs the memory and one line, never the start."""
    (tmp_path / FILE_NAME).write_text(text)

    with capture_logs() as lines:
        assert recall(tmp_path) == Memory()

    assert [line["event"] for line in lines] == ["state_file_not_read"]


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_no_bytes_break_recall(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever is in the file, recalling gives a memory."""
    directory = tmp_path_factory.mktemp("state")
    (directory / FILE_NAME).write_bytes(content)

    assert isinstance(recall(directory), Memory)


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A memory that cannot be written leaves the last good one in place."""
    remember(MEMORY, tmp_path)
    (tmp_path / "state.new").mkdir()

    with pytest.raises(OSError, match=r"state\.new"):
        remember(Memory(), tmp_path)

    assert recall(tmp_path) == MEMORY


def test_keeper_writes_the_last_word(tmp_path: Path) -> None:
    """What is known when the keeper is closed is in the file, however fast it changed before."""
    known = [Memory()]
    keeper = Keeper(directory=tmp_path, read=lambda: known[0])
    for memory in (Memory(), MEMORY, Memory(), MEMORY):
        known[0] = memory
        keeper.keep()

    keeper.close()

    assert recall(tmp_path) == MEMORY


def test_keeper_writes_what_it_learnt_while_it_wrote(tmp_path: Path) -> None:
    """Nothing is lost because a writing was under way: the last word is on the disk soon."""
    known = [Memory()]
    keeper = Keeper(directory=tmp_path, read=lambda: known[0])
    keeper.keep()
    known[0] = MEMORY
    keeper.keep()
    until = time.monotonic() + 5
    while recall(tmp_path) != MEMORY and time.monotonic() < until:
        time.sleep(0.01)

    assert recall(tmp_path) == MEMORY
    keeper.close()


def test_keeper_complains_once_about_a_directory_it_cannot_use(tmp_path: Path) -> None:
    """An unusable directory is one warning with its remedy, not one a round."""
    (tmp_path / "file").write_text("")
    known = [Memory()]
    keeper = Keeper(directory=tmp_path / "file", read=lambda: known[0])

    with capture_logs() as lines:
        keeper.keep()
        known[0] = MEMORY
        keeper.close()

    assert [line["event"] for line in lines] == ["state_file_not_written"]
    assert lines[0]["remedy"] == "set agent.state_dir"

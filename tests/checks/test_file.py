from __future__ import annotations

import os
from pathlib import Path

import pytest

from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from tests.checks.servers import result_of, run, spec


def said(path: Path) -> CheckResult:
    """What a check of ``path`` says."""
    return run(result_of(spec("file", path=str(path))))


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (b"up\n", Passed("the file says up", weight_percent=100)),
        (b"40%\nwhatever", Passed("the file says 40%", weight_percent=40)),
        (b"drain # moving house\n", Passed("the file says drain (moving house)", weight_percent=0)),
        (b"maint", Failed(FailureReason.STATUS, "the file says maint")),
        (b"", Failed(FailureReason.PROTOCOL, "the file said nothing")),
        (b"\xff\xfe" * 9_000, Failed(FailureReason.PROTOCOL, "")),
    ],
)
def test_first_line_is_the_word(tmp_path: Path, content: bytes, result: CheckResult) -> None:
    """As an agent would say it."""
    path = tmp_path / "state"
    path.write_bytes(content)
    found = said(path)

    assert type(found) is type(result)
    assert getattr(result, "detail", "") in found.detail
    assert getattr(found, "weight_percent", None) == getattr(result, "weight_percent", None)


def test_file_may_be_named_after_the_server(tmp_path: Path) -> None:
    """One setting for all servers of a service."""
    (tmp_path / "127.0.0.1").write_text("up")

    assert isinstance(said(tmp_path / "{address}"), Passed)


def test_file_that_cannot_be_read_says_nothing_about_the_server(tmp_path: Path) -> None:
    """It is our own fault; a pipe without a writer holds nobody up."""
    missing = said(tmp_path / "nowhere")
    directory = said(tmp_path)
    os.mkfifo(tmp_path / "pipe")

    assert isinstance(missing, Errored)
    assert missing.reason is ErrorReason.FILE_MISSING
    assert isinstance(directory, Errored)
    assert said(tmp_path / "pipe") == Failed(FailureReason.PROTOCOL, "the file said nothing")

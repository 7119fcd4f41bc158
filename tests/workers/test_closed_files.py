"""Keys and certificates of checks that a worker may not read."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lvs_agent.checks.kinds import checkers
from lvs_agent.checks.net import lent_files
from lvs_agent.checks.net.lent_files import lend, readable
from lvs_agent.model.check import CheckSpec
from lvs_agent.workers.closed_files import LARGEST, closed_files_of, libraries_are_open
from tests.workers.test_link import spec


def with_tls(**keys: object) -> CheckSpec:
    """A check with TLS."""
    check = spec(0)
    settings = checkers()["https"].settings.model_validate({"tls": keys})
    return replace(check, kind="https", target=replace(check.target, settings=settings))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file that only its owner may read."""
    file = tmp_path / "key.pem"
    file.write_bytes(b"secret")
    file.chmod(0o600)
    return file


def test_only_files_that_are_closed_are_lent(key: Path) -> None:
    """Others are read where they are; files that are not there are the checks' own business."""
    system = "/etc/ssl/openssl.cnf"
    assert Path(system).exists()
    checks = [
        with_tls(client_certificate=str(key), ca_file=system),
        with_tls(ca_file=str(key.with_name("none"))),
        spec(1),
    ]

    assert closed_files_of(checks) == {str(key): b"secret"}


def test_file_behind_a_closed_directory_is_closed(tmp_path: Path) -> None:
    """Its own mode is not enough."""
    directory = tmp_path / "closed"
    directory.mkdir(mode=0o700)
    file = directory / "ca.pem"
    file.write_bytes(b"public")
    file.chmod(0o644)

    assert closed_files_of([with_tls(ca_file=str(file))]) == {str(file): b"public"}


def test_no_more_than_the_largest_file_is_lent(key: Path) -> None:
    """Whatever is there."""
    key.write_bytes(b"x" * (LARGEST + 1))

    assert len(closed_files_of([with_tls(ca_file=str(key))])[str(key)]) == LARGEST


def test_file_that_can_be_read_is_not_replaced_by_a_copy(key: Path) -> None:
    """So that a new certificate counts at once."""
    lend({str(key): b"old"})
    try:
        assert readable(str(key)) == str(key)
    finally:
        os.close(lent_files._copies.pop(str(key)))


@pytest.mark.parametrize("closed", ["", "package"])
def test_libraries_behind_a_closed_directory_are_closed(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package or the whole of Python; a name that is not a directory counts for nothing."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "package").mkdir(mode=0o755)
        monkeypatch.setattr("sys.path", ["", name, f"{name}/none.zip"])
        assert libraries_are_open()

        (directory / closed).chmod(0o700)
        assert not libraries_are_open()

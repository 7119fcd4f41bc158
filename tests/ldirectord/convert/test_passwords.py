"""Secrets found by the settings models of the checks, and named by files of their own."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.checks.kinds import Checker, checkers
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.config.secrets import SecretSource
from lvs_agent.ldirectord.convert.passwords import moved_place, secrets_in, with_files
from lvs_agent.model.check import CheckResult, Passed, Target
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Secret
from lvs_agent.settings.strict import Strict

DIRECTORY = Path("/etc/lvs-agent/secrets")


class Login(Strict):
    """A table within the settings."""

    user: str
    password: Secret


class Database(CheckSettings):
    """Settings as a later check may have them."""

    query: str = ""
    password: Secret | None = None
    login: Login | None = None


async def probe(_: Target, run: ProbeRun) -> CheckResult:
    """Never run here."""
    return Passed()


KINDS = MappingProxyType({**checkers(), "database": Checker("database", Database, probe, "")})

TABLES: dict[str, Any] = {
    "defaults": {"check": {"type": "database", "query": "q", "password": "one"}},
    "virtual_service": [
        {"name": "db", "check": {"password": "two", "login": {"user": "u", "password": "three"}}},
        {
            "address": "192.0.2.1",
            "port": 80,
            "check": {"type": "http", "headers": {"User-Agent": "x", "Authorization": "Basic eDp5"}},
            "real_server": [
                {"address": "10.0.0.1"},
                {"address": "10.0.0.2", "check": {"type": "command", "environment": {"PGPASSWORD": "four"}}},
            ],
        },
    ],
}


def test_every_secret_is_found_by_its_model() -> None:
    """In the defaults, in services and servers, in tables within, in headers and in the environment of commands."""
    found = {each.path: each.text for each in secrets_in(TABLES, checkers=KINDS)}

    assert found == {
        "defaults.check.password": "one",
        "virtual_service[db].check.password": "two",
        "virtual_service[db].check.login.password": "three",
        "virtual_service[tcp/192.0.2.1:80].check.headers.Authorization": "Basic eDp5",
        "virtual_service[tcp/192.0.2.1:80].real_server[10.0.0.2:80].check.environment.PGPASSWORD": "four",
    }


def test_each_secret_is_named_by_its_own_file() -> None:
    """A key becomes ``_file`` in its place, a value of a table a table with the file's name; nothing else changes."""
    secrets = secrets_in(TABLES, checkers=KINDS)
    files = {each.text: str(DIRECTORY / each.file) for each in secrets}
    moved = with_files(TABLES, secrets, directory=DIRECTORY)

    assert len(set(files.values())) == 5
    assert list(moved["defaults"]["check"].items()) == [
        ("type", "database"),
        ("query", "q"),
        ("password_file", files["one"]),
    ]
    first, second = moved["virtual_service"]
    assert first["check"] == {
        "password_file": files["two"],
        "login": {"user": "u", "password_file": files["three"]},
    }
    assert second["check"]["headers"] == {"User-Agent": "x", "Authorization": {"file": files["Basic eDp5"]}}
    assert second["real_server"][0] == {"address": "10.0.0.1"}
    assert secrets_in(moved, checkers=KINDS) == ()


def test_comments_follow_the_key() -> None:
    """What was said of the password is said of its file."""
    secrets = secrets_in(TABLES, checkers=KINDS)
    place = ("defaults", "check", "password")
    header = ("virtual_service", 1, "check", "headers", "Authorization")

    assert moved_place(place, secrets) == ("defaults", "check", "password_file")
    assert moved_place(header, secrets) == header
    assert moved_place((), secrets) == ()


def test_equal_names_get_different_files() -> None:
    """What no file may be called is left out of its name, and so two names may become one."""
    services = [{"name": name, "check": {"type": "database", "password": "x"}} for name in ("a b", "a/b", "a_b")]
    secrets = secrets_in({"virtual_service": services}, checkers=KINDS)

    assert len({each.file for each in secrets}) == 3
    assert all("/" not in each.file and not each.file.startswith(".") for each in secrets)


def test_secret_is_in_no_representation() -> None:
    """A traceback or a debugger's line must not tell it."""
    assert "one" not in repr(secrets_in({"defaults": TABLES["defaults"]}, checkers=KINDS))


@pytest.mark.parametrize("text", ["", "x\n", "x\r", "x\r\n", " x ", "\u5bc6\u7801"])
def test_secret_is_read_back_as_it_was(tmp_path: Path, text: str) -> None:
    """Reading cuts a line break off, and one is there to be cut."""
    assert _read_back(tmp_path, text) == text


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_every_secret_is_read_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever letters it has."""
    assert _read_back(tmp_path_factory.getbasetemp(), text) == text


def _read_back(directory: Path, text: str) -> str:
    tables = {"defaults": {"check": {"type": "database", "password": text}}}
    (secret,) = secrets_in(tables, checkers=KINDS)
    (directory / secret.file).write_bytes(secret.content.encode())
    return SecretSource(directory, {}).read("file", secret.file)

"""Secrets: read from files and the environment, printed nowhere."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from lvs_agent.config import Config, config_from_tables
from lvs_agent.config.secrets import SecretSource, without
from lvs_agent.errors import ConfigError
from tests.config.kinds import KINDS, LoginSettings

_SECRET = "correct horse battery"


def _config(base: Path, check: dict[str, Any], **environment: str) -> Config:
    server = {"address": "10.0.0.1"}
    service = {"address": "192.0.2.1", "port": 80, "check": {"type": "login", "user": "u", **check}}
    tables = {"virtual_service": [{**service, "real_server": [server]}]}
    return config_from_tables(tables, source=SecretSource(base, environment), kinds=KINDS)


def _settings(config: Config) -> LoginSettings:
    (spec,) = config.intent.checks.values()
    assert isinstance(spec.target.settings, LoginSettings)
    return spec.target.settings


def _password(config: Config) -> str | None:
    password = _settings(config).password
    return None if password is None else password.get_secret_value()


def test_three_ways_to_write_a_secret_mean_the_same(tmp_path: Path) -> None:
    """Written out, from a file, from the environment: same password, same check, same digest."""
    (tmp_path / "word").write_text(_SECRET + "\n")
    configs = [
        _config(tmp_path, {"password": _SECRET}),
        _config(tmp_path, {"password_file": "word"}),
        _config(tmp_path, {"password_file": str(tmp_path / "word")}),
        _config(tmp_path, {"password_env": "WORD"}, WORD=_SECRET),
    ]

    assert {_password(config) for config in configs} == {_SECRET}
    assert len({config.digest for config in configs}) == 1
    assert len({check for config in configs for check in config.intent.checks}) == 1


def test_another_secret_is_another_check(tmp_path: Path) -> None:
    """A rotated password must make the check new, and change the digest."""
    one, two = _config(tmp_path, {"password": "a"}), _config(tmp_path, {"password": "b"})

    assert one.digest != two.digest
    assert one.intent.checks.keys() != two.intent.checks.keys()


def test_header_values_come_from_files_and_the_environment(tmp_path: Path) -> None:
    """Each header on its own."""
    (tmp_path / "word").write_text(_SECRET)
    headers = {"Accept": "*/*", "Authorization": {"file": "word"}, "X-Token": {"env": "TOKEN"}}

    settings = _settings(_config(tmp_path, {"headers": headers}, TOKEN="t"))

    plain = {name: value.get_secret_value() for name, value in settings.headers.items()}
    assert plain == {"Accept": "*/*", "Authorization": _SECRET, "X-Token": "t"}


def test_secret_in_an_inner_table_comes_from_a_file(tmp_path: Path) -> None:
    """Tables inside a check have the same forms."""
    (tmp_path / "word").write_text(_SECRET)

    settings = _settings(_config(tmp_path, {"tls": {"passphrase_file": "word"}}))

    assert settings.tls.passphrase is not None
    assert settings.tls.passphrase.get_secret_value() == _SECRET


@pytest.mark.parametrize(
    "check",
    [
        pytest.param({"password": _SECRET}, id="key"),
        pytest.param({"headers": {"Authorization": _SECRET}}, id="header"),
        pytest.param({"tls": {"passphrase": _SECRET}}, id="inner-table"),
        pytest.param({"password_env": "WORD"}, id="environment"),
    ],
)
def test_secret_is_printed_nowhere(check: dict[str, Any], tmp_path: Path) -> None:
    """Neither a representation, nor an id, nor JSON shows it; the settings still reach another process whole."""
    config = _config(tmp_path, check, WORD=_SECRET)
    settings = _settings(config)

    shown = [repr(config), str(config), config.digest, *config.intent.checks, settings.model_dump_json()]
    assert not any(_SECRET in text for text in shown)
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        pytest.param({"password_file": "none"}, "password_file: cannot read DIR/none: No such file", id="no-file"),
        pytest.param({"password_file": "."}, "password_file: cannot read DIR: Is a directory", id="directory"),
        pytest.param({"password_file": "a\0b"}, "password_file: is not a valid path", id="no-path"),
        pytest.param({"password_file": 1}, "password_file: must be a string in quotes", id="number"),
        pytest.param({"password_file": "large"}, "must not be larger than 64KiB", id="large"),
        pytest.param({"password_file": "binary"}, "password_file: DIR/binary is not valid UTF-8", id="binary"),
        pytest.param({"password_env": "NONE"}, "password_env: the environment has no variable 'NONE'", id="no-env"),
        pytest.param(
            {"password": "a", "password_env": "NONE"},
            "password_env: only one of password and its _file and _env forms can be given",
            id="two-forms",
        ),
        pytest.param(
            {"password_env": "NONE", "password": _SECRET},
            "password: only one of password and its _file and _env forms can be given",
            id="two-forms-turned",
        ),
        pytest.param(
            {"headers": {"A": {"fil": _SECRET}}},
            'headers.A: must be a string in quotes, { file = "PATH" } or { env = "NAME" }',
            id="header-form",
        ),
        pytest.param({"headers": {"A": {"file": "none"}}}, "headers.A.file: cannot read DIR/none", id="header-file"),
        pytest.param({"headers": _SECRET}, "headers: must be a table", id="headers-no-table"),
        pytest.param({"headers": {"A": [_SECRET]}}, "headers.A: must be a string in quotes", id="header-array"),
        pytest.param({"password": [_SECRET]}, "password: must be a string in quotes", id="array"),
        pytest.param({"tls": {"verify": _SECRET}}, "tls.verify: must be true or false", id="wrong-place"),
        pytest.param({"pass_word": _SECRET}, "unknown key 'pass_word'; did you mean 'password'?", id="typo"),
        pytest.param(
            {"pass_word_file": "x"}, "unknown key 'pass_word_file'; did you mean 'password_file'?", id="form-typo"
        ),
    ],
)
def test_unusable_secret_is_told_without_it(check: dict[str, Any], expected: str, tmp_path: Path) -> None:
    """The message says what to correct, and never repeats a value."""
    (tmp_path / "large").write_text("x" * 70_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError) as caught:
        _config(tmp_path, check)

    assert expected in str(caught.value).replace(str(tmp_path), "DIR")
    assert _SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param({"type": "http", "headers": {"Authorization": _SECRET}}, id="http"),
        pytest.param({"type": "https", "headers": {"Authorization": {"env": "WORD"}}}, id="https"),
        pytest.param({"type": "command", "command": ["/bin/true"], "environment": {"PASSWORD": _SECRET}}, id="command"),
    ],
)
def test_installed_checkers_keep_their_secrets(check: dict[str, Any]) -> None:
    """What real checks are given is printed nowhere either."""
    service = {"address": "192.0.2.1", "port": 80, "check": check, "real_server": [{"address": "10.0.0.1"}]}
    source = SecretSource(Path("/nonexistent"), {"WORD": _SECRET})

    config = config_from_tables({"virtual_service": [service]}, source=source)

    (spec,) = config.intent.checks.values()
    assert _SECRET not in repr(config) + repr(source)
    assert _SECRET not in spec.target.settings.model_dump_json()


def test_message_of_a_validator_is_shown_without_the_secret() -> None:
    """Even a checker that repeats what it was given cannot give a secret away."""
    assert without(f"not {_SECRET!r}", {"password": _SECRET}, model=LoginSettings) == "not '...'"
    assert without("x y", {"headers": {"A": "y"}}, model=LoginSettings) == "x ..."
    assert without("x y", {"tls": {"passphrase": "x"}}, model=LoginSettings) == "... y"

"""Paths of files of this host in check tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvs_agent.checks.kinds.https import Settings
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.config import Config, parse_config
from lvs_agent.errors import ConfigError


def _config(base: Path, tls: str) -> Config:
    text = f"""
[[virtual_service]]
address = "192.0.2.1"
port = 443
check = {{ type = "https", tls = {{ {tls} }} }}
real_server = [{{ address = "10.0.0.1" }}]
"""
    return parse_config(text, base=base)


def _tls(config: Config) -> TlsSettings:
    (spec,) = config.intent.checks.values()
    assert isinstance(spec.target.settings, Settings)
    return spec.target.settings.tls


def test_relative_path_starts_at_the_directory_of_the_configuration(tmp_path: Path) -> None:
    """Wherever the agent was started, and for each of the files."""
    tls = _tls(_config(tmp_path, 'ca_file = "ca.pem", client_certificate = "own/cert.pem", client_key = "own/key.pem"'))

    assert tls.ca_file == str(tmp_path / "ca.pem")
    assert tls.client_certificate == str(tmp_path / "own" / "cert.pem")
    assert tls.client_key == str(tmp_path / "own" / "key.pem")


def test_full_path_stays(tmp_path: Path) -> None:
    """It is the same file wherever the configuration is."""
    assert _tls(_config(tmp_path, 'ca_file = "/etc/ssl/own-ca.pem"')).ca_file == "/etc/ssl/own-ca.pem"


def test_both_ways_to_name_a_file_are_the_same_check(tmp_path: Path) -> None:
    """Nothing starts anew where only the writing changes."""
    relative, full = _config(tmp_path, 'ca_file = "ca.pem"'), _config(tmp_path, f'ca_file = "{tmp_path}/ca.pem"')

    assert relative.digest == full.digest
    assert relative.intent.checks.keys() == full.intent.checks.keys()


def test_empty_path_is_refused(tmp_path: Path) -> None:
    """It would be the directory."""
    with pytest.raises(ConfigError, match="ca_file"):
        _config(tmp_path, 'ca_file = ""')


@pytest.mark.parametrize("key", ["state_dir", "maintenance_dir", "web_config_file"])
def test_nul_in_a_path_is_refused(tmp_path: Path, key: str) -> None:
    """No system call takes it: whoever opens the path would fail with an exception that nobody expects."""
    with pytest.raises(ConfigError, match=f"agent.{key}: must not contain a NUL character"):
        parse_config(f'[agent]\n{key} = "a\\u0000b"\n', base=tmp_path)

"""How ``status`` and its like reach an agent that wants TLS and passwords, and what they say where they do not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.cli.access import without_user
from tests.cli.commands import Ended, here
from tests.web.test_secure_server import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site whose server is stopped at the end; nothing is in the environment."""
    for variable in ("LVS_AGENT_USER", "LVS_AGENT_PASSWORD_FILE", "LVS_AGENT_LISTEN"):
        monkeypatch.delenv(variable, raising=False)
    site = Site(tmp_path)
    yield site
    site.stop()


def status(*arguments: object) -> Ended:
    """``lvs-agent status``."""
    return here("status", "--json", *arguments)


def answered(ended: Ended) -> bool:
    """Whether the whole status came."""
    return (ended.returncode, ended.stderr) == (0, "") and "services" in json.loads(ended.stdout)


def test_agent_with_tls_is_trusted_by_its_authority(site: Site, tmp_path: Path) -> None:
    """Without --ca-file the error tells of it; under another name it tells of that."""
    site.write()
    url = f"https://{site.start()}"

    assert answered(status("--url", url, "--ca-file", tmp_path / "servers.crt"))
    for more in ((), ("--ca-file", tmp_path / "strangers.crt")):
        refused = status("--url", url, *more)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(f"error: {url} has a certificate that is not trusted (")
        assert refused.stderr.endswith("): give --ca-file, or --config on the host of the agent\n")
    other = status("--url", url.replace("127.0.0.1", "localhost"), "--ca-file", tmp_path / "servers.crt")
    assert "has a certificate for another host (" in other.stderr


def test_configuration_tells_everything_on_the_host_of_the_agent(site: Site, tmp_path: Path) -> None:
    """Address, TLS and the certificate that is to be expected, whoever has signed it and for whatever name."""
    site.servers.issue(site.certificate, site.key, "director.example.com")
    site.write()
    address = site.start()
    config = tmp_path / "config.toml"
    config.write_text(f'agent = {{ listen = "{address}", web_config_file = "web.yml" }}\n')

    assert answered(status("--config", config))
    site.servers.issue(site.certificate, site.key, "director.example.com")  # not what the agent shows: it looks later
    assert "has a certificate that is not trusted" in status("--config", config).stderr


def test_certificate_is_shown_where_one_is_wanted(site: Site, tmp_path: Path) -> None:
    """Without it, or with one of somebody else, the error says what to give."""
    site.write("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: clients.crt")
    url = f"https://{site.start()}"
    trusting = ("--url", url, "--ca-file", tmp_path / "servers.crt")
    cert, key = tmp_path / "me.crt", tmp_path / "me.key"
    site.clients.issue(cert, key, "me")

    assert answered(status(*trusting, "--cert", cert, "--key", key))
    for more in ((), ("--cert", tmp_path / "server.crt", "--key", tmp_path / "server.key")):
        refused = status(*trusting, *more)
        assert refused.returncode == 1
        assert "give --cert and --key" in refused.stderr
    assert "--key must be given together with --cert" in status(*trusting, "--key", key).stderr
    assert f"{key} cannot be used with its key" in status(*trusting, "--cert", key).stderr


def test_password_comes_from_a_file_or_the_url(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL counts more; without either, or with a wrong one, the error says what to set, and no secret."""
    site.write(users={"ann": "p@ss:word"}, encrypted=False)
    address = site.start()
    url = f"http://{address}"
    secret = tmp_path / "password"
    secret.write_text("p@ss:word\n")

    assert (
        "requires a user and a password: set LVS_AGENT_USER and LVS_AGENT_PASSWORD_FILE" in status("--url", url).stderr
    )
    assert answered(status("--url", f"http://ann:p%40ss%3Aword@{address}"))
    monkeypatch.setenv("LVS_AGENT_USER", "ann")
    assert "must be set together" in status("--url", url).stderr
    monkeypatch.setenv("LVS_AGENT_PASSWORD_FILE", str(secret))
    assert answered(status("--url", url))
    wrong = status("--url", f"http://ann:hunter2@{address}")
    assert f"{url} refuses this user and password" in wrong.stderr
    assert "hunter2" not in wrong.stderr
    secret.write_bytes(b"x" * 5000)
    assert "is longer than 4096 bytes" in status("--url", url).stderr
    secret.unlink()
    assert "cannot be read: No such file or directory" in status("--url", url).stderr


def test_the_other_protocol_is_recognised(site: Site) -> None:
    """http for https, and the other way round: the remedy is in the line."""
    site.write(encrypted=False)
    plain = site.start()
    assert "if it speaks plain HTTP, give http:// in --url" in status("--url", f"https://{plain}").stderr
    site.stop()
    site.write()
    encrypted = site.start()

    assert "give https:// in --url" in status("--url", f"http://{encrypted}").stderr


@pytest.mark.parametrize("url", ["http://a:hunter2@127.0.0.1:1", "https://a:hunter2@127.0.0.1:1/", "x://a:hunter2@b"])
def test_password_in_a_url_is_never_shown(url: str) -> None:
    """Not even where nobody answers."""
    ended = status("--url", url)

    assert ended.returncode == 1
    assert "hunter2" not in ended.stdout + ended.stderr


@given(st.text())
def test_no_url_raises_anything(url: str) -> None:
    """A text that is not a URL stays as it is."""
    bare, user = without_user(url)

    assert user is not None or bare == url

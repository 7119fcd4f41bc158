"""``lvs-agent convert``: what it prints and writes, and what it refuses."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
import tomli

from lvs_agent.checks.kinds import checkers
from lvs_agent.config import load_config, parse_config
from lvs_agent.errors import LvsAgentError, StartError
from lvs_agent.ldirectord.convert.command import verify, write_toml
from lvs_agent.ldirectord.convert.conversion import Conversion
from lvs_agent.ldirectord.convert.passwords import secrets_in
from tests.cli.commands import UNPRIVILEGED, here, lvs_agent

SITE = """checktimeout=3
emailalert="a@example.org, b@example.org"
virtual=192.0.2.1:80
\treal=10.0.0.1:80 gate
\trequest="test.html"
virtual=192.0.2.1:443
\treal=10.0.0.1:443 gate
\temailalert="shop@example.org"
"""
SECRET = "Basic b25lOnR3bw=="


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> Path:
    """An ldirectord.cf."""
    path = tmp_path / "site.cf"
    path.write_text(SITE, encoding="utf-8")
    return path


def mode(path: Path) -> int:
    """The permissions of ``path``."""
    return stat.S_IMODE(path.stat().st_mode)


def test_toml_is_printed_and_warnings_are_said(site: Path) -> None:
    """The one can be written to a file, the others are for people."""
    run = here("convert", site)

    assert run.returncode == 0
    assert [each["address"] for each in tomli.loads(run.stdout)["virtual_service"]] == ["192.0.2.1", "192.0.2.1"]
    assert f"warning: {site}: line 2: emailalert has no effect here" in run.stderr


def test_output_means_what_the_file_means(site: Path, tmp_path: Path) -> None:
    """Both are configurations, and have the same digest."""
    out = tmp_path / "elsewhere" / "config.toml"
    out.parent.mkdir()
    run = here("convert", site, "--output", out)

    assert (run.returncode, run.stdout) == (0, "")
    assert mode(out) == 0o666 & ~_umask()
    assert here("check-config", "--config", out).returncode == 0
    assert here("convert", site).stdout == out.read_text(encoding="utf-8")
    assert [each.name for each in load_config(out).intent.services] == ["tcp/192.0.2.1:80", "tcp/192.0.2.1:443"]


def test_nothing_is_overwritten_by_accident(site: Path, tmp_path: Path) -> None:
    """An existing file stays as it is, until it is replaced on purpose, as a whole."""
    out = tmp_path / "config.toml"
    out.write_text("mine", encoding="utf-8")
    refused = here("convert", site, "--output", out)

    assert refused.returncode == 2
    assert f"error: {out} exists already; --force replaces it" in refused.stderr
    assert out.read_text(encoding="utf-8") == "mine"
    assert here("convert", site, "--output", out, "--force").returncode == 0
    assert "192.0.2.1" in out.read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "site.cf"]


def test_link_is_not_followed_to_a_file_that_is_not_there(site: Path, tmp_path: Path) -> None:
    """A dangling link is something that is there."""
    out = tmp_path / "config.toml"
    out.symlink_to(tmp_path / "nowhere")

    assert here("convert", site, "--output", out).returncode == 2
    assert out.is_symlink()


def test_every_error_is_told_with_its_line(tmp_path: Path) -> None:
    """Nothing is printed of a file that cannot be used."""
    path = tmp_path / "broken.cf"
    path.write_text("checktimeout=never\nvirtual=192.0.2.1:80\n\treal=10.0.0.1:80 nowhere\n", encoding="utf-8")
    run = here("convert", path)

    assert (run.returncode, run.stdout) == (2, "")
    assert f"error: {path}: line 1: " in run.stderr
    assert f"error: {path}: line 3: " in run.stderr


@pytest.mark.parametrize(
    ("name", "reason"), [pytest.param("absent.cf", "No such file or directory", id="absent"), (".", "Is a directory")]
)
def test_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, reason: str) -> None:
    """With the reason of the system."""
    run = here("convert", tmp_path / name)

    assert run.returncode == 2
    assert run.stderr == f"error: {tmp_path / name}: cannot be read: {reason}\n"


@pytest.mark.skipif(shutil.which("setpriv") is None and os.geteuid() == 0, reason="setpriv is not installed")
def test_place_that_cannot_be_written_is_one_line(site: Path, tmp_path: Path) -> None:
    """The reason, and no traceback."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    run = lvs_agent("convert", site, "--output", closed / "config.toml", before=UNPRIVILEGED)

    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == f"error: cannot write {closed / 'config.toml'}: Permission denied"
    assert here("convert", site, "--output", closed).returncode == 1


def test_alertmanager_gets_a_route_for_each_service(site: Path, tmp_path: Path) -> None:
    """Every recipient is in it, and no TOML."""
    out = tmp_path / "alertmanager.yml"
    run = here("convert", "--alertmanager", site, "--output", out)
    text = out.read_text(encoding="utf-8")

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert all(f'to: "{name}@example.org"' in text for name in ("a", "b", "shop"))
    program = shutil.which("amtool")
    if program is not None:
        subprocess.run([program, "check-config", str(out)], check=True, capture_output=True, timeout=20)


def test_file_without_mail_says_so(tmp_path: Path) -> None:
    """Alertmanager would tell nobody, and somebody should know that."""
    path = tmp_path / "site.cf"
    path.write_text("virtual=192.0.2.1:80\n\treal=10.0.0.1:80 gate\n", encoding="utf-8")
    run = here("convert", "--alertmanager", path)

    assert run.returncode == 0
    assert f"warning: {path}: has no emailalert" in run.stderr


def test_passwords_have_no_place_in_alertmanager(site: Path, tmp_path: Path) -> None:
    """An option that would do nothing is refused."""
    assert here("convert", "--alertmanager", site, "--secrets-dir", tmp_path / "s").returncode == 2


@pytest.fixture(name="with_secret")
def fixture_with_secret() -> Conversion:
    """A conversion with a secret in it."""
    check = {"type": "http", "headers": {"Authorization": SECRET, "Accept": "text/html"}}
    tables = {"virtual_service": [{"name": "web", "address": "192.0.2.1", "port": 80, "check": check}]}
    return Conversion(tables=tables, notes={}, secrets=secrets_in(tables, checkers=checkers()))


def test_secret_that_stays_is_warned_of(
    with_secret: Conversion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The TOML is for its owner alone then, and the secret itself is not said."""
    out = tmp_path / "config.toml"
    write_toml(with_secret, cf=Path("site.cf"), output=out, secrets_dir=None, force=False)
    said = capsys.readouterr().err

    assert said.startswith("warning: site.cf: virtual_service[web].check.headers.Authorization: is a password, which")
    assert SECRET not in said
    assert mode(out) == 0o600
    assert SECRET in out.read_text(encoding="utf-8")


def test_secret_goes_to_a_file_of_its_own(with_secret: Conversion, tmp_path: Path) -> None:
    """In a directory for its owner alone, and the agent reads the same from there."""
    out, directory = tmp_path / "config.toml", tmp_path / "deep" / "secrets"
    write_toml(with_secret, cf=Path("site.cf"), output=out, secrets_dir=directory, force=False)
    (file,) = directory.iterdir()

    assert (mode(directory), mode(file)) == (0o700, 0o600)
    assert SECRET not in out.read_text(encoding="utf-8")
    assert load_config(out).digest == parse_config(with_secret.toml(), base=tmp_path).digest


def test_secret_is_not_overwritten_by_accident(with_secret: Conversion, tmp_path: Path) -> None:
    """And then nothing else is written either."""
    out, directory = tmp_path / "config.toml", tmp_path / "secrets"
    directory.mkdir()
    (secret,) = with_secret.secrets
    (directory / secret.file).write_text("mine", encoding="utf-8")

    with pytest.raises(click.UsageError, match="exists already"):
        write_toml(with_secret, cf=Path("site.cf"), output=out, secrets_dir=directory, force=False)
    assert not out.exists()
    assert (directory / secret.file).read_text(encoding="utf-8") == "mine"
    write_toml(with_secret, cf=Path("site.cf"), output=out, secrets_dir=directory, force=True)
    assert (directory / secret.file).read_text(encoding="utf-8") == SECRET + "\n"


def test_directory_that_cannot_be_made_is_one_line(with_secret: Conversion, tmp_path: Path) -> None:
    """The reason, and no traceback."""
    (tmp_path / "file").touch()

    with pytest.raises(StartError, match=r"cannot write .*: Not a directory"):
        write_toml(with_secret, cf=Path("site.cf"), output=None, secrets_dir=tmp_path / "file" / "x", force=False)


def test_toml_that_means_something_else_is_not_written(site: Path) -> None:
    """Nobody shall find out by a table that is different."""
    other = parse_config("", base=site.parent)
    tables = {"agent": {"on_stop": "remove"}}

    with pytest.raises(LvsAgentError, match="would not mean the same"):
        verify(Conversion(tables=tables, notes={}, secrets=()), other, output=None)


def test_nothing_else_imports_what_only_convert_needs() -> None:
    """The agent does not wait for a library that writes YAML."""
    script = "import sys, lvs_agent.cli.run, lvs_agent.cli.check_config\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert not {"ruamel.yaml", "lvs_agent.ldirectord.convert"} & set(run.stdout.split())


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def test_unexpected_failure_is_a_message_with_the_place(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a file makes our own code raise, there is no traceback and nothing is written."""

    def fail(*_: object, **__: object) -> Conversion:
        raise OverflowError("too large")

    monkeypatch.setattr("lvs_agent.ldirectord.convert.command.conversion", fail)
    run = here("convert", site)

    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.splitlines()[-1].startswith(f"error: {site}: internal error: OverflowError: too large")

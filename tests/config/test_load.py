"""Files that cannot be read, and what a configuration says beside its intent."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
import tomli

from lvs_agent.checks.kinds import checkers
from lvs_agent.config import ListenAddress, load_config, parse_config
from lvs_agent.errors import ConfigError
from lvs_agent.log import LogFormat, LogLevel
from lvs_agent.model.intent import OnStop

ROOT = Path(__file__).parents[2]


def _problem(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    (problem,) = caught.value.problems
    return str(problem)


def test_missing_file_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    """The path that was looked for is named."""
    path = tmp_path / "absent.toml"

    assert _problem(path) == f"{path}: the path does not exist; set another one with --config"


def test_directory_is_refused(tmp_path: Path) -> None:
    """A directory is not mistaken for an empty file."""
    assert _problem(tmp_path) == f"{tmp_path}: must be a file, but is a directory"


def test_file_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    """A log or a disk image in the file's place costs neither the memory nor the time of the agent."""
    path = tmp_path / "config.toml"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(ConfigError, match="must not be larger than 64MiB"):
        load_config(path)


def test_file_that_is_not_utf_8_names_the_line(tmp_path: Path) -> None:
    """A file saved in another encoding says where it stops being UTF-8."""
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# fine\n# \xe9t\xe9\n")

    assert _problem(path) == "line 2: is not valid UTF-8; save the file as UTF-8"


def test_name_that_is_too_long_is_a_config_error(tmp_path: Path) -> None:
    """Any other reason is reported in the words of the system."""
    assert _problem(tmp_path / ("x" * 300)).endswith("cannot be read: File name too long")


def test_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    """Some editors put one in front of UTF-8 text."""
    path = tmp_path / "marked.toml"
    path.write_bytes(b"\xef\xbb\xbf[log]\nlevel = 'debug'\n")

    assert load_config(path).agent.log_level is LogLevel.DEBUG


def test_deep_nesting_is_a_config_error(tmp_path: Path) -> None:
    """A file made to exhaust the parser's stack is refused like any other broken file."""
    path = tmp_path / "deep.toml"
    path.write_text("x = " + "[" * 100_000)

    assert "nested too deeply" in _problem(path)


def test_number_beyond_all_limits_is_a_config_error(tmp_path: Path) -> None:
    """Python refuses to read an integer of more than some thousand digits."""
    path = tmp_path / "long.toml"
    path.write_text("x = " + "9" * 5_000)

    assert "out of range" in _problem(path)


def test_empty_file_is_a_plain_exporter_with_all_defaults(tmp_path: Path) -> None:
    """Nothing has to be written to export what the kernel has."""
    path = tmp_path / "empty.toml"
    path.write_text("")

    config = load_config(path)

    assert config.intent.services == ()
    assert config.warnings == ()
    assert config.agent.listen == ListenAddress(ip_address("0.0.0.0"), 9_659)
    assert config.agent.state_dir == Path("/var/lib/lvs-agent")
    assert (config.agent.reconcile_interval_s, config.agent.compare_interval_s) == (10.0, 1.0)
    assert config.agent.on_stop is OnStop.KEEP
    assert config.agent.log_format is LogFormat.LOGFMT


def test_agent_tables_reach_the_settings(tmp_path: Path) -> None:
    """Every key of [agent] and [log] has its effect; a relative directory starts at the file's."""
    text = """
        [agent]
        listen = "[::1]:0"
        state_dir = "state"
        reconcile_interval = "500ms"
        compare_interval = "2s"
        on_stop = "remove"
        command_concurrency = 3
        thread_concurrency = 5
        [log]
        format = "json"
        level = "error"
    """

    agent = parse_config(text, base=tmp_path).agent

    assert agent.listen == ListenAddress(ip_address("::1"), 0)
    assert agent.state_dir == tmp_path / "state"
    assert (agent.reconcile_interval_s, agent.compare_interval_s) == (0.5, 2.0)
    assert agent.on_stop is OnStop.REMOVE
    assert agent.command_concurrency == 3
    assert agent.thread_concurrency == 5
    assert (agent.log_format, agent.log_level) == (LogFormat.JSON, LogLevel.ERROR)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(":9659", "0.0.0.0:9659", id="every-ipv4-address"),
        pytest.param("[::]:9659", "[::]:9659", id="every-address"),
        pytest.param("127.0.0.1:1", "127.0.0.1:1", id="one-address"),
    ],
)
def test_listen_addresses(text: str, expected: str, tmp_path: Path) -> None:
    """The usual ways to write where to listen."""
    assert str(parse_config(f'agent.listen = "{text}"', base=tmp_path).agent.listen) == expected


@pytest.mark.parametrize("text", ["", "9659", "::1:9659", "[::1]", "[::1:80", "a:80", "127.0.0.1:-1", "127.0.0.1:٣"])
def test_broken_listen_addresses_are_refused(text: str, tmp_path: Path) -> None:
    """Neither host names nor half addresses are guessed at."""
    with pytest.raises(ConfigError, match=r"agent\.listen: must be an"):
        parse_config(f'agent.listen = "{text}"', base=tmp_path)


MISSING = "{0} checks need a library that is not installed: pip install 'lvs-agent[{0}]'"


@pytest.mark.parametrize(("kind", "library", "key"), [("pgsql", "psycopg", ""), ("oracle", "oracledb", "sid = 'shop'")])
def test_check_without_its_library_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, library: str, key: str
) -> None:
    """Said once for each table that asks for it, with the remedy, and only while the library is missing."""
    path = tmp_path / "config.toml"
    path.write_text(f"""
[defaults.check]
type = "{kind}"
user = "monitor"
password = "x"
{key}
[[virtual_service]]
address = "192.0.2.1"
port = 5432
real_server = [{{ address = "192.0.2.11" }}, {{ address = "192.0.2.12" }}]
[[virtual_service]]
address = "192.0.2.2"
port = 80
check = {{ type = "http" }}
real_server = [{{ address = "192.0.2.11" }}]
""")
    assert load_config(path).warnings == ()

    monkeypatch.setitem(sys.modules, library, None)
    assert [str(each) for each in load_config(path).warnings] == ["defaults.check.type: " + MISSING.format(kind)]


def test_every_extra_with_a_library_is_known_to_its_checker() -> None:
    """What pyproject.toml brings for a kind of check is what the kind looks for."""
    extras = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {kind: checker.settings.extra_library for kind, checker in checkers().items()}

    for kind, library in wanted.items():
        if library is not None:
            assert any(line.startswith(library) for line in extras[kind])
    assert {extra for extra in extras if extra in wanted} == {kind for kind, library in wanted.items() if library}

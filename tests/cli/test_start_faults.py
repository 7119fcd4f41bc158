"""What can go wrong when a command starts: one line that says what and what to do about it, and an exit code."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import UNPRIVILEGED, Ended, here, lvs_agent

MINIMAL = '[[virtual_service]]\naddress = "192.0.2.1"\nport = 80\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that can be used."""
    path = tmp_path / "config.toml"
    path.write_text(MINIMAL)
    return path


def complaint(*arguments: object, code: int) -> str:
    """The one line with which a command within this process ends, after the word ``error``."""
    return only_line(here(*arguments), code=code)


def unprivileged(*arguments: object, code: int) -> str:
    """The same of a process that has no capability."""
    return only_line(lvs_agent(*arguments, before=UNPRIVILEGED), code=code)


def only_line(run: Ended, *, code: int) -> str:
    """The one line that was printed, on standard error."""
    (line,) = run.stderr.splitlines()

    assert run.returncode == code
    assert run.stdout == ""
    return line.removeprefix("error: ")


def refused_to_listen(config: Path, place: str) -> str:
    """The line with which an agent does not start because of where it is to listen."""
    run = lvs_agent("run", "--ipvs", "memory", "--config", config, "--listen", place, before=UNPRIVILEGED)
    return only_line(run, code=1)


@pytest.mark.parametrize("command", [["run", "--listen", "127.0.0.1:0"], ["plan"]], ids=["run", "plan"])
@pytest.mark.skipif(Path("/proc/net/ip_vs").exists(), reason="this kernel has IPVS")
def test_kernel_without_ipvs(command: list[str], config: Path) -> None:
    """The module to load is named."""
    assert only_line(lvs_agent(*command, "--config", config), code=1) == (
        "this kernel has no IPVS loaded; load it: modprobe ip_vs"
    )


@pytest.mark.ipvs
@pytest.mark.parametrize("command", [["run", "--listen", "127.0.0.1:0"], ["plan"]], ids=["run", "plan"])
def test_no_permission_to_use_ipvs(command: list[str], config: Path) -> None:
    """The capability is named."""
    line = unprivileged(*command, "--config", config, code=1)

    assert "CAP_NET_ADMIN" in line


def test_port_in_use(config: Path) -> None:
    """The address, what is wrong, and the option that helps."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        line = refused_to_listen(config, place)

    assert line == (
        f"cannot listen on {place}: another program listens there; stop it, or choose another port with --listen"
    )


def test_address_of_another_host(config: Path) -> None:
    """An address that this host does not have cannot be listened on."""
    assert refused_to_listen(config, "198.51.100.1:9659") == (
        "cannot listen on 198.51.100.1:9659: this host does not have the address; choose another with --listen"
    )


@pytest.mark.skipif(
    int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80,
    reason="here every port is free to all",
)
def test_privileged_port(config: Path) -> None:
    """The capability is named."""
    assert "CAP_NET_BIND_SERVICE" in refused_to_listen(config, "127.0.0.1:80")


@pytest.mark.parametrize("command", ["run", "check-config", "plan"])
def test_configuration_that_is_not_there(command: str, tmp_path: Path) -> None:
    """The message has the path as it was given."""
    path = tmp_path / "nowhere.toml"

    assert complaint(command, "--config", path, code=2) == (
        f"{path}: the path does not exist; set another one with --config"
    )


def test_configuration_that_may_not_be_read(config: Path) -> None:
    """The message says whose permission is missing."""
    config.chmod(0)

    assert unprivileged("check-config", "--config", config, code=2) == (
        f"{config}: cannot be read: permission denied; let the user that runs lvs-agent read it"
    )


def test_configuration_behind_links_that_go_in_a_circle(tmp_path: Path) -> None:
    """The starter may not even begin to look for it."""
    (tmp_path / "loop").symlink_to("loop")
    path = tmp_path / "loop" / "config.toml"

    assert complaint("run", "--config", path, code=2) == (f"{path}: cannot be read: Too many levels of symbolic links")


def test_configuration_that_is_a_directory(tmp_path: Path) -> None:
    """A directory is not a file."""
    assert complaint("run", "--config", tmp_path, code=2) == f"{tmp_path}: must be a file, but is a directory"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b'[agent]\nlisten = "\xff"', "line 2: is not valid UTF-8; save the file as UTF-8", id="not-utf-8"),
        pytest.param(b"[agent\n", "line 1, column 7: expected ']' at the end of a table declaration", id="not-toml"),
        pytest.param(b"[agent]\nlisen = 1\n", "agent: unknown key 'lisen'; did you mean 'listen'?", id="unknown-key"),
    ],
)
def test_configuration_that_cannot_be_used(content: bytes, expected: str, config: Path) -> None:
    """The file is named, and the place in it."""
    config.write_bytes(content)

    assert complaint("run", "--config", config, code=2) == f"{config}: {expected}"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["bogus"], "No such command 'bogus'; see lvs-agent --help"),
        (["run", "--bogus"], "No such option '--bogus'; see lvs-agent run --help"),
        (["completion", "csh"], "see lvs-agent completion --help"),
        (["run", "--listen", "9659"], 'must be an address and a port, like "127.0.0.1:9659" or "[::1]:9659"'),
        (["run", "--listen", "localhost:9659"], "must be an IP address"),
        (["run", "--listen", "127.0.0.1:65536"], "see lvs-agent run --help"),
        (["plan", "--assume", "maybe"], "'maybe' is not one of 'up', 'down', 'kernel'; see lvs-agent plan --help"),
        (["demo", "--step", "0"], "see lvs-agent demo --help"),
    ],
)
def test_command_line_that_cannot_be_used(arguments: list[str], expected: str) -> None:
    """One line names the mistake, and the help that belongs to it."""
    assert expected in complaint(*arguments, code=2)


def test_no_command_shows_the_help() -> None:
    """Who types nothing but the name learns what there is, and a script learns that it was nothing."""
    run = here()

    assert run.returncode == 2
    assert "check-config" in run.stdout + run.stderr


@contextmanager
def speaking(answer: bytes) -> Iterator[str]:
    """The URL of something that says ``answer`` to every client, and is not an agent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_status_where_nobody_listens() -> None:
    """The message has the URL, and how to give another."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    line = complaint("status", "--url", url, code=1)

    assert line.startswith(f"{url} cannot be reached")
    assert line.endswith("is lvs-agent running there? see --url")


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH_9.2p1\r\n", b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n{}", b""],
    ids=["no-http", "no-such-page", "other-json", "nothing"],
)
def test_status_where_something_else_listens(answer: bytes) -> None:
    """Whatever it is, the message says that it is not an agent."""
    with speaking(answer) as url:
        line = complaint("status", "--url", url, code=1)

    assert line.startswith(url)
    assert line.endswith(("see --url", "if it speaks TLS, give https:// in --url"))

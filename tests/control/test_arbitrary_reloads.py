"""Nothing that a configuration file can contain ends a running agent: files of both formats, changed at random, go
through a whole daemon's reload.

The daemon is the real one, on a table in memory.  What it loads is made harmless first: every probe goes to a closed
port of the loopback, every program is ``true``, and nothing asks a resolver.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lvs_agent.checks.kinds import command
from lvs_agent.config import Config, load_config
from lvs_agent.daemon import Daemon, Options
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.log import MessageCounts
from lvs_agent.metrics.config_warnings import with_metric_warnings
from lvs_agent.model.check import CheckSpec
from lvs_agent.model.intent import VirtualService
from lvs_agent.web.server import bind
from lvs_agent.workers.processes import Starter

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config.toml.example").read_text(encoding="utf-8").splitlines()
LDIRECTORD = [path.read_bytes().split(b"\n") for path in sorted((ROOT / "tests/data/ldirectord").glob("*.cf"))]
FIRST = '[[virtual_service]]\naddress = "192.0.2.1"\nport = 80\n'
EXAMPLES = int(os.environ.get("LVS_RELOAD_EXAMPLES", "60"))
LOOPBACK = IPv4Address("127.0.0.1")
CLOSED_PORT = 1
PATIENCE_S = 20.0
_Test = TypeVar("_Test", bound=Callable[..., None])

NUMBERS = [
    "0",
    "-1",
    "1",
    "65535",
    "65536",
    f"{2**31}",
    f"{2**63}",
    "1" + "0" * 400,
    "9" * 5_000,
    "1e308",
    "nan",
    "-inf",
]
REGEXES = [
    "a{99999999999999999}",
    "a{4294967294}",
    "(" * 120 + ")" * 120,
    "(" * 3_000 + ")" * 3_000,
    "(?P<a>b)(?P<a>c)",
    "(?<=a*)b",
    "[z-a]",
    "(a+)+$",
    r"\N{NO SUCH NAME}",
    r"\p{L}+",
    "(?#",
    "*",
]
TEXTS = [
    "",
    " ",
    "\u202e\u2066",
    "\N{PILE OF POO}" * 3,
    "é\u0301",
    "a" * 70_000,
    "500ms",
    "99999999999999999999d",
    "1e999s",
    "9" * 400 + "GiB",
    "300-200",
    "127.0.0.1",
    "::ffff:127.0.0.1%lo",
    "{address}{port}{}",
    "%s%n",
    "../../../../dev/null",
    "xn--a",
    "." * 300,
    *REGEXES,
]


def toml_text(text: str) -> str:
    """``text`` as a basic string of TOML."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text) + '"'


TOML_VALUES = [
    *NUMBERS,
    *map(toml_text, TEXTS),
    '"\\u0000"',
    '"\\ud800"',
    "true",
    "1979-05-27T07:32:00Z",
    "[]",
    "{}",
    "[[[[]]]]",
    "[" * 3_000 + "]" * 3_000,
    "{ a = " * 60 + "1" + " }" * 60,
    '{ file = "/dev/null" }',
    '{ env = "NO_SUCH_VARIABLE" }',
    "{ type = 'http', body_regex = 'a{99999999999999999}' }",
]
PLAIN_VALUES = [text.encode("utf-8", "surrogatepass") for text in (*NUMBERS, *TEXTS)] + [
    b"\0",
    b"\xff\xfe",
    b'"',
    b"'\\",
    b"10.0.0.1->10.0.0.9:80 gate",
    b"10.0.0.1->10.255.255.255:80 gate",
    "٣".encode(),
]


@st.composite
def toml_files(draw: st.DrawFn) -> bytes:
    """The example with everything in it, changed in a few places."""
    lines = list(EXAMPLE)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        key, equals, _ = lines[at].partition("=")
        match draw(st.sampled_from(["value", "value", "value", "uncomment", "drop", "double", "move", "letter"])):
            case "value" if equals:
                lines[at] = f"{key.removeprefix('# ')}= {draw(st.sampled_from(TOML_VALUES))}"
            case "uncomment":
                lines[at] = lines[at].removeprefix("# ")
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case _:
                place = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:place] + draw(st.characters(codec="utf-8")) + lines[at][place:]
    return "\n".join(lines).encode()


@st.composite
def ldirectord_files(draw: st.DrawFn) -> bytes:
    """A file of the wild, changed in a few places, or in its bytes."""
    lines = list(draw(st.sampled_from(LDIRECTORD)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        key, equals, _ = lines[at].partition(b"=")
        match draw(st.sampled_from(["value", "value", "value", "drop", "double", "move", "bytes"])):
            case "value" if equals:
                lines[at] = key + b"=" + draw(st.sampled_from(PLAIN_VALUES))
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case _:
                place = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:place] + draw(st.binary(min_size=1, max_size=4)) + lines[at][place:]
    return b"\n".join(lines)


# --- the daemon -------------------------------------------------------------------------------------------------------


def harmless(config: Config, directory: Path) -> Config:
    """``config`` with everything that would reach further than the loopback or ``directory`` turned aside."""
    maintenance = None if config.agent.maintenance_dir is None else directory / "maintenance"
    return replace(
        config,
        agent=replace(config.agent, maintenance_dir=maintenance),
        intent=replace(
            config.intent,
            services=tuple(_harmless_service(service, directory) for service in config.intent.services),
            checks={name: _harmless_check(spec) for name, spec in config.intent.checks.items()},
        ),
    )


def _harmless_service(service: VirtualService, directory: Path) -> VirtualService:
    called = service.sorry_command
    return replace(
        service,
        monitor_file=None if service.monitor_file is None else str(directory / "monitor"),
        sorry_command=None if called is None else replace(called, command=("/bin/true",), user=None),
    )


def _harmless_check(spec: CheckSpec) -> CheckSpec:
    target, given_settings = spec.target, spec.target.settings
    if isinstance(given_settings, command.Settings):
        given_settings = given_settings.model_copy(update={"command": ("/bin/true",), "user": None})
    port = None if target.port is None else CLOSED_PORT
    return replace(spec, target=replace(target, address=LOOPBACK, port=port, settings=given_settings))


class Bench:
    """A daemon at work; its loop runs only while one of the methods does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "config"
        self.path.write_text(FIRST)
        self.loaded: list[Config] = []
        self._runner = asyncio.Runner()
        self._kernel = MemoryIpvs()
        self.daemon, self.task = self._runner.run(self._started())

    async def _started(self) -> tuple[Daemon, asyncio.Task[None]]:
        config = self.load(self.path)
        agent = replace(config.agent, state_dir=self.directory, reload_on_change=False)
        options = Options(
            path=self.path,
            config=replace(config, agent=agent),
            load=self.load,
            open_backend=lambda: self._kernel,
            listener=bind(("127.0.0.1", 0)),
            writes=True,
            log_messages=MessageCounts(),
            starter=Starter.fork(),
        )
        daemon = Daemon(options)
        task = asyncio.create_task(daemon.run())
        async with asyncio.timeout(PATIENCE_S):
            await daemon._ready.wait()
        return daemon, task

    def load(self, path: Path) -> Config:
        """What ``lvs-agent run`` reads, made harmless.  The first bytes say which format it is."""
        suffixed = path.with_suffix(".cf" if path.read_bytes().startswith(b"#cf") else ".toml")
        suffixed.write_bytes(path.read_bytes())
        config = harmless(with_metric_warnings(load_config(suffixed)), self.directory)
        self.loaded.append(config)
        return config

    def reload(self, content: bytes) -> bool:
        """Reload ``content`` and let the round after it be made; whether it is in force."""
        self.path.write_bytes(content)
        self.loaded.clear()
        return self._runner.run(self._reloaded())

    async def _reloaded(self) -> bool:
        rounds = self.daemon.state.reconcile.rounds
        accepted = await self.daemon._reloading.reload(cause="sighup")
        self.daemon._adopting._requests.wake()
        async with asyncio.timeout(PATIENCE_S):
            while self.daemon.state.reconcile.rounds <= rounds and not self.task.done():  # noqa: ASYNC110 - a round
                await asyncio.sleep(0)
        return accepted

    @property
    def in_force(self) -> tuple[object, ...]:
        """Everything that a configuration reaches, as it is now."""
        daemon = self.daemon
        return (
            daemon.state.intent,
            daemon.state.config.digest,
            daemon._adopting.config,
            daemon._workers._specs.keys(),
            frozenset(daemon.state.checks),
            daemon._hooks._monitored,
            daemon._reconciling.periods,
        )

    def close(self) -> None:
        """Stop the daemon in order."""
        self.daemon.stop()
        self._runner.run(self._ended())
        self._runner.close()
        gc.unfreeze()

    async def _ended(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.task


_getaddrinfo = socket.getaddrinfo


def _numbers_only(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:  # noqa: A002
    return _getaddrinfo(host, port, family, type, proto, flags | socket.AI_NUMERICHOST)


def _no_names(*_: object, **__: object) -> NoReturn:
    raise socket.gaierror(socket.EAI_NONAME, "no names in this test")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One daemon for all files: each reload starts from what the one before has left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", _numbers_only)
        for name in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"):
            patch.setattr(socket, name, _no_names)
        bench = Bench(tmp_path_factory.mktemp("agent"))
        yield bench
        bench.close()


def check_reload(bench: Bench, content: bytes) -> None:
    """Reload ``content``: the new configuration is in force, whole, or the old one is and the state says why."""
    state, before = bench.daemon.state, bench.in_force
    counts = state.config.reloads, state.config.reload_failures
    accepted = bench.reload(content)
    config = state.config

    assert not bench.task.done()
    assert config.last_reload_successful is accepted
    if accepted:
        (loaded,) = bench.loaded
        assert (config.reloads, config.reload_failures) == (counts[0] + 1, counts[1])
        assert config.digest == loaded.digest == bench.daemon._adopting.config.digest
        assert state.checks.keys() == loaded.intent.checks.keys()
        assert bench.daemon._workers._specs.keys() == loaded.intent.checks.keys()
        assert [one.service for one in state.intent.services] == [one.service for one in loaded.intent.services]
    else:
        assert (config.reloads, config.reload_failures) == (counts[0], counts[1] + 1)
        assert config.problems
        assert all(map(str.strip, config.problems))
        assert bench.in_force == before
    with httpx.Client(base_url=f"http://{bench.daemon.web.address}", trust_env=False, timeout=PATIENCE_S) as client:
        answers = [client.get(path).status_code for path in ("/livez", "/metrics", "/api/v1/status")]
    assert answers == [200, 200, 200]


def each_example(contents: Sequence[bytes]) -> Callable[[_Test], _Test]:
    """Run a test with each of ``contents`` too."""

    def decorated(test: _Test) -> _Test:
        for content in contents:
            test = example(content=content)(test)
        return test

    return decorated


BRANCHES = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow], deadline=None)
REGEX_CHECK = (
    b'[defaults.check]\ntype = "http"\nbody_regex = "%s"\n'
    + FIRST.encode()
    + b'real_server = [{ address = "10.0.0.1" }]\n'
)
TOML_SEEDS = [
    REGEX_CHECK % b"a{99999999999999999}",
    REGEX_CHECK % (b"(" * 3_000 + b")" * 3_000),
    FIRST.encode() + b"quorum = 1" + b"0" * 400,
    b"",
    b"\0",
]
LDIRECTORD_SEEDS = [
    b'virtual=192.0.2.1:80\n\treal=10.0.0.1:80 gate\n\tservice=http\n\trequest="/"\n\treceive="a{99999999999999999}"\n',
    b"checktimeout=" + b"9" * 5_000 + b"\n",
]


@each_example(TOML_SEEDS)
@BRANCHES
@given(content=toml_files())
@pytest.mark.timeout(600)
def test_no_toml_file_ends_the_agent(bench: Bench, content: bytes) -> None:
    """Whatever is written in it, it is in force or refused, and the agent works on."""
    check_reload(bench, content)


@each_example(LDIRECTORD_SEEDS)
@BRANCHES
@given(content=ldirectord_files())
@pytest.mark.timeout(600)
def test_no_ldirectord_file_ends_the_agent(bench: Bench, content: bytes) -> None:
    """Whatever is written in it, it is in force or refused, and the agent works on."""
    check_reload(bench, b"#cf\n" + content)

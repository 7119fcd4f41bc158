"""``lvs-agent demo``: the whole agent at work, on servers of its own that fail and recover."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from ipaddress import ip_address
from pathlib import Path

import click
import uvloop

from lvs_agent.cli.demo_servers import DemoServer, Mood
from lvs_agent.cli.options import listen_option
from lvs_agent.config import load_config
from lvs_agent.daemon import Daemon, Options
from lvs_agent.errors import StartError
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.ipvs.ipvsadm import rules
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.ipvs.namespace import add_loopback_address, enter_new_network_namespace, has_ipvs
from lvs_agent.ipvs.netlink import KernelIpvs
from lvs_agent.log import LogFormat, LogLevel, configure
from lvs_agent.web.server import bind
from lvs_agent.workers.processes import Starter

STEP_S = 5.0
REQUESTS = 12
_VIRTUAL_PORT = 80
_USUAL_LISTEN = ("127.0.0.1", 9659)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demonstration plays: addresses, and how to reach the table.

    ``kernel``: the table is a real one, in a network namespace of its own, and requests go through it.
    """

    kernel: bool
    virtual_address: str
    server_addresses: tuple[str, ...]
    open_backend: Callable[[], IpvsBackend]


def _memory_stage() -> Stage:
    table = MemoryIpvs()
    return Stage(
        kernel=False,
        virtual_address="192.0.2.100",
        server_addresses=tuple(f"127.0.0.{last}" for last in range(11, 15)),
        open_backend=lambda: table,
    )


def _kernel_stage() -> Stage:
    addresses = tuple(f"10.99.0.{last}" for last in range(11, 15))
    enter_new_network_namespace()
    for address in ("10.99.0.100", *addresses):
        add_loopback_address(ip_address(address))
    return Stage(
        kernel=True,
        virtual_address="10.99.0.100",
        server_addresses=addresses,
        open_backend=lambda: KernelIpvs(procfs=Path("/proc")),
    )


def _configuration(stage: Stage, servers: list[DemoServer], state_dir: Path, *, step: float) -> str:
    """A second between two checks, or less where the steps are so short that nothing would be seen of them."""
    *real, sorry = servers
    pace = f"{min(1000, round(step * 500))}ms"
    lines = [
        f'agent = {{ state_dir = "{state_dir}" }}',
        "[[virtual_service]]",
        'name = "demo"',
        f'address = "{stage.virtual_address}"',
        f"port = {_VIRTUAL_PORT}",
        'scheduler = "wrr"',
        'forwarding = "masquerade"',
        f'sorry_server = {{ address = "{sorry.address}", port = {sorry.port} }}',
        f'check = {{ type = "http", interval = "{pace}", timeout = "{pace}", rise = 1, fall = 1 }}',
    ]
    for weight, server in enumerate(real, start=1):
        lines += [
            "[[virtual_service.real_server]]",
            f'address = "{server.address}"',
            f"port = {server.port}",
            f"weight = {weight}",
        ]
    return "\n".join(lines) + "\n"


def _story(servers: list[DemoServer]) -> Iterator[tuple[str, dict[DemoServer, Mood]]]:
    """One round of events, each with what it does to the servers."""
    one, two, three, _sorry = servers
    real = (one, two, three)
    yield "all three servers are up", dict.fromkeys(real, Mood.WELL)
    yield f"{two.name} answers 503", {two: Mood.BROKEN}
    yield f"{two.name} has recovered; {three.name} accepts connections and hangs", {two: Mood.WELL, three: Mood.HANGING}
    yield "every server refuses connections: the sorry server takes over", dict.fromkeys(real, Mood.STOPPED)
    yield f"{one.name} has recovered: the service fails back from the sorry server", {one: Mood.WELL}
    yield "all three servers are up", dict.fromkeys(real, Mood.WELL)


@click.command()
@listen_option(default="127.0.0.1:9659, or any free port", text="Serve /metrics and the status page there.")
@click.option(
    "--rounds", type=click.IntRange(min=0), default=0, help="Stop after this many rounds; 0: run until Ctrl-C."
)
@click.option("--step", type=click.FloatRange(min=0.5), default=STEP_S, help="Seconds from one event to the next.")
@click.option("--memory", is_flag=True, help="Use a table in memory, even if root could use the kernel's.")
def demo(listen: tuple[str, int] | None, rounds: int, step: float, *, memory: bool) -> None:
    """Show the agent at work on servers that fail and recover.

    Without root or IPVS the table is in memory, and everything else is real.  With both, the demo uses the kernel's
    table in a network namespace of its own and sends requests through it.  It does not touch the table of the host.
    """
    counts = configure(form=LogFormat.LOGFMT, level=LogLevel.INFO)
    listener = _listener(listen)  # before the network namespace: the status page belongs to the machine's own
    kernel = not memory and os.geteuid() == 0 and has_ipvs(procfs=Path("/proc"))
    stage = _kernel_stage() if kernel else _memory_stage()
    # The starter is forked within the namespace, and before there are threads.
    with Starter.fork() as starter, tempfile.TemporaryDirectory(prefix="lvs-agent-demo-") as directory:
        servers = _servers(stage)
        try:
            path = Path(directory) / "config.toml"
            path.write_text(_configuration(stage, servers, Path(directory) / "state", step=step), encoding="utf-8")
            options = Options(
                path=path,
                config=load_config(path),
                load=load_config,
                open_backend=stage.open_backend,
                listener=listener,
                writes=True,
                log_messages=counts,
                starter=starter,
            )
            uvloop.run(_play(stage, servers, options, rounds=rounds, step=step))
        finally:
            for server in servers:
                server.become(Mood.STOPPED)


def _listener(wanted: tuple[str, int] | None) -> socket.socket:
    """Where the status page is served: at the address that was asked for, else at the usual port or a free one."""
    if wanted is not None:
        return bind(wanted)
    host, port = _USUAL_LISTEN
    try:
        return bind(_USUAL_LISTEN)
    except StartError:
        _say(f"port {port} is in use, perhaps by a running lvs-agent; the demo uses a free port")
        return bind((host, 0))


def _servers(stage: Stage) -> list[DemoServer]:
    """The real servers and, last, the sorry server, all up."""
    names = ("web1", "web2", "web3", "sorry")
    servers = [DemoServer(name=name, address=to) for name, to in zip(names, stage.server_addresses, strict=True)]
    for server in servers:
        server.become(Mood.WELL)
    return servers


async def _play(stage: Stage, servers: list[DemoServer], options: Options, *, rounds: int, step: float) -> None:
    """Run the agent beside the story until the rounds are over or the user stops it."""
    daemon = Daemon(options)
    backend = stage.open_backend()
    where = "the kernel's, in a network namespace of its own" if stage.kernel else "in memory"
    _say(f"the table is {where}; http://{daemon.web.address}/ and http://{daemon.web.address}/metrics show it")
    telling = asyncio.create_task(_tell(stage, servers, backend, rounds=rounds, step=step), name="story")
    telling.add_done_callback(lambda _: daemon.stop())
    try:
        await daemon.run()
    finally:
        telling.cancel()
        backend.close()


async def _tell(stage: Stage, servers: list[DemoServer], backend: IpvsBackend, *, rounds: int, step: float) -> None:
    told = 0
    while rounds == 0 or told < rounds:
        for text, moods in _story(servers):
            _say(text)
            for server, mood in moods.items():
                await asyncio.to_thread(server.become, mood)
            await asyncio.sleep(step)
            await asyncio.to_thread(_show, stage, backend)
        told += 1


def _show(stage: Stage, backend: IpvsBackend) -> None:
    for rule in rules(backend.read_table()):
        click.echo(f"    {rule}")
    if stage.kernel:
        answers = Counter(_ask(stage.virtual_address) for _ in range(REQUESTS))
        told = ", ".join(f"{name} {count}" for name, count in sorted(answers.items()))
        click.echo(f"    {REQUESTS} requests to {stage.virtual_address}:{_VIRTUAL_PORT} were answered by: {told}")


def _ask(address: str) -> str:
    """Who answers a request to the virtual service."""
    connection = HTTPConnection(address, _VIRTUAL_PORT, timeout=2.0)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().strip()
    except OSError as error:
        return f"nobody ({error})"
    finally:
        connection.close()


def _say(text: str) -> None:
    click.secho(f"demo: {text}", bold=True)

"""Options that several commands share, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import click

from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.ipvs.netlink import KernelIpvs

DEFAULT_CONFIG = Path("/etc/lvs-agent/config.toml")
_Command = TypeVar("_Command", bound=Callable[..., Any])


class Ipvs(Enum):
    """Where the table is."""

    KERNEL = "kernel"
    MEMORY = "memory"


def config_option(command: _Command) -> _Command:
    """``--config FILE``."""
    return click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path),
        default=DEFAULT_CONFIG,
        envvar="LVS_AGENT_CONFIG",
        show_default=True,
        show_envvar=True,
        metavar="FILE",
        help="Configuration in TOML.",
    )(command)


def procfs_option(command: _Command) -> _Command:
    """``--procfs DIR``."""
    return click.option(
        "--procfs",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("/proc"),
        show_default=True,
        metavar="DIR",
        help="Where the proc file system is mounted.",
    )(command)


def ipvs_option(command: _Command) -> _Command:
    """``--ipvs kernel|memory``."""
    return click.option(
        "--ipvs",
        type=click.Choice([choice.value for choice in Ipvs]),
        default=Ipvs.KERNEL.value,
        show_default=True,
        help="The kernel's table, or one in memory that vanishes with the process.",
    )(command)


def backend_opener(where: Ipvs, *, procfs: Path) -> Callable[[], IpvsBackend]:
    """What opens connections to one and the same table."""
    if where is Ipvs.KERNEL:
        return lambda: KernelIpvs(procfs=procfs)
    table = MemoryIpvs()
    return lambda: table


class ListenAddress(click.ParamType[tuple[str, int]]):
    """``ADDRESS:PORT``, ``[ADDRESS]:PORT`` or ``:PORT``."""

    name = "ADDR:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        host, colon, port = str(value).rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or "::"
        try:
            ip_address(host)
            number = int(port)
        except ValueError:
            self.fail("an address with a port is wanted, like 127.0.0.1:9659 or [::1]:9659", param, ctx)
        if not colon or not 0 <= number <= 65_535:
            self.fail("a port from 0 to 65535 is wanted after the colon", param, ctx)
        return host, number

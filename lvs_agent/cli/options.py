"""Options that several commands share, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import click

from lvs_agent.cli.formats import FORMATS
from lvs_agent.config import Config, load_config, parse_listen
from lvs_agent.config.unexpected import unexpected_is_refused
from lvs_agent.errors import ConfigError
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.ipvs.netlink import KernelIpvs
from lvs_agent.metrics.config_warnings import with_metric_warnings

DEFAULT_CONFIG = Path("/etc/lvs-agent/config.toml")
LISTEN_VARIABLE = "LVS_AGENT_LISTEN"
"""Variable of the environment that says where an agent listens, rather than its configuration."""
_Command = TypeVar("_Command", bound=Callable[..., Any])


class Ipvs(Enum):
    """Where the table is."""

    KERNEL = "kernel"
    MEMORY = "memory"


def config_option(command: _Command) -> _Command:
    """``--config FILE`` and ``--config-format FORM``, which read_config takes as ``path`` and ``config_format``."""
    return _config_path(config_format_option(command))


_config_path = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, readable=False),
    default=DEFAULT_CONFIG,
    envvar="LVS_AGENT_CONFIG",
    show_default=True,
    show_envvar=True,
    metavar="FILE",
    help="Configuration in TOML, or an ldirectord.cf.",
)
config_format_option = click.option(
    "--config-format",
    type=click.Choice(FORMATS.names),
    show_default=FORMATS.rule,
    help="Format of the configuration.",
)


def read_config(path: Path, config_format: str | None) -> Config:
    """The configuration in ``path``.  Raises ConfigError, each problem with the file's name before it."""
    try:
        with unexpected_is_refused(path):
            return load_in_format(path, config_format)
    except ConfigError as error:
        raise error.in_file(path) from error


def load_in_format(path: Path, config_format: str | None) -> Config:
    """The configuration in ``path``, with every warning about it.  Raises ConfigError."""
    return with_metric_warnings(load_config(path, FORMATS.of(path, config_format)))


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
        help="The kernel's table, or one in memory that is lost when the process stops.",
    )(command)


def backend_opener(where: Ipvs, *, procfs: Path) -> Callable[[], IpvsBackend]:
    """What opens connections to one and the same table."""
    if where is Ipvs.KERNEL:
        return lambda: KernelIpvs(procfs=procfs)
    table = MemoryIpvs()
    return lambda: table


def listen_option(*, default: str, text: str, envvar: str | None = None) -> Callable[[_Command], _Command]:
    """``--listen ADDR:PORT``, an address and a port as in the configuration; ``default`` says what None means."""
    return click.option("--listen", type=listening, metavar="ADDR:PORT", show_default=default, show_envvar=True,
                        envvar=envvar, help=text)  # fmt: skip


def listening(text: str) -> tuple[str, int]:
    """The address and port that ``text`` is.  Raises BadParameter."""
    try:
        listen = parse_listen(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return str(listen.address), listen.port

"""``lvs-agent check-config``: every problem of a configuration."""

from __future__ import annotations

from pathlib import Path

import click

from lvs_agent.cli.options import config_option, read_config
from lvs_agent.config import Config
from lvs_agent.errors import ConfigError


@click.command("check-config")
@config_option
@click.option("--strict", is_flag=True, help="Warnings count as problems.")
def check_config(path: Path, config_format: str | None, *, strict: bool) -> None:
    """Check a configuration and report every problem.

    Exits with 0 if the configuration can be used.  Otherwise prints each problem as "file: path: problem" (for an
    ldirectord.cf as "file: line N: problem") and exits with 2.  The web configuration file and the certificates that it
    names are checked too.
    """
    config = read_config(path, config_format)
    if strict and config.warnings:
        raise ConfigError(config.warnings).in_file(path)
    if config.agent.web_config_file is not None:
        _check_web_config(config.agent.web_config_file)
    for warning in config.warnings:
        click.echo(f"warning: {path}: {warning}", err=True)
    click.echo(_summary(config))


def _check_web_config(path: Path) -> None:
    from lvs_agent.web.security import load_web_config  # noqa: PLC0415 - most configurations need none of its libraries

    load_web_config(path)


def _summary(config: Config) -> str:
    services = config.intent.services
    servers = sum(len(service.real_servers) for service in services)
    return f"ok: {_count(len(services), 'virtual service')}, {_count(servers, 'real server')}, " + _count(
        len(config.intent.checks), "check"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

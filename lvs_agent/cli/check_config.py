"""``lvs-agent check-config``: every problem of a configuration."""

from __future__ import annotations

from pathlib import Path

import click

from lvs_agent.cli.options import config_option, problems_of, read_config
from lvs_agent.config import Config


@click.command("check-config")
@config_option
@click.option("--strict", is_flag=True, help="Warnings count as problems.")
def check_config(path: Path, *, strict: bool) -> None:
    """Say everything that is wrong with a configuration.

    Exits with 0 where it can be used, and with 2 after every problem as "file: path: problem".
    """
    config = read_config(path)
    if strict and config.warnings:
        raise problems_of(path, config.warnings)
    for warning in config.warnings:
        click.echo(f"warning: {path}: {warning}", err=True)
    click.echo(_summary(config))


def _summary(config: Config) -> str:
    services = config.intent.services
    servers = sum(len(service.real_servers) for service in services)
    return f"ok: {_count(len(services), 'virtual service')}, {_count(servers, 'real server')}, " + _count(
        len(config.intent.checks), "check"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

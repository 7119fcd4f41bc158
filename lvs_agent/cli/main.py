"""The commands that need little more than their options, and the entry point."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import structlog
import uvloop

from lvs_agent import __version__
from lvs_agent.cli.demo import demo
from lvs_agent.cli.options import Ipvs, ListenAddress, backend_opener, config_option, ipvs_option, procfs_option
from lvs_agent.cli.plan import plan
from lvs_agent.cli.status import DEFAULT_URL, fetch_status, show_status
from lvs_agent.config import Config, json_schema, load_config
from lvs_agent.daemon import Daemon, Options
from lvs_agent.errors import ConfigError, LvsAgentError
from lvs_agent.log import LogFormat, LogLevel, configure
from lvs_agent.web.server import bind

EXIT_FAILED = 1
EXIT_UNUSABLE = 2

log = structlog.get_logger()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="lvs-agent")
def cli() -> None:
    """Keep an IPVS table right: check the real servers, drive the table, tell Prometheus.

    \b
    lvs-agent demo                        see it work, without root and without IPVS
    lvs-agent check-config --config FILE  every problem of a configuration
    lvs-agent plan --config FILE          what would change in the kernel's table
    lvs-agent run --config FILE           the agent
    lvs-agent status                      what a running agent knows
    """  # noqa: D301 - the control character that click wants


@cli.command()
@config_option
@click.option("--listen", type=ListenAddress(), help="Serve /metrics and the API there, whatever the file says.")
@ipvs_option
@procfs_option
@click.option("--dry-run", is_flag=True, help="Check and plan, but write nothing to the table.")
@click.option("--log-format", type=click.Choice([form.value for form in LogFormat]), help="Overrides the file.")
@click.option("--log-level", type=click.Choice([level.value for level in LogLevel]), help="Overrides the file.")
def run(
    path: Path,
    listen: tuple[str, int] | None,
    ipvs: str,
    procfs: Path,
    *,
    dry_run: bool,
    log_format: str | None,
    log_level: str | None,
) -> None:
    """Run the agent in the foreground.

    SIGHUP, or a changed file, reloads the configuration; SIGTERM stops.  The table outlives the agent unless
    agent.on_stop says otherwise.
    """
    config = load_config(path)
    counts = configure(
        form=LogFormat(log_format) if log_format else config.agent.log_format,
        level=LogLevel(log_level) if log_level else config.agent.log_level,
    )
    options = Options(
        path=path,
        config=config,
        load=load_config,
        open_backend=backend_opener(Ipvs(ipvs), procfs=procfs),
        listener=bind(listen or (str(config.agent.listen.address), config.agent.listen.port)),
        writes=not dry_run,
        log_messages=counts,
    )
    uvloop.run(_run(options))


async def _run(options: Options) -> None:
    await Daemon(options).run()


@cli.command("check-config")
@config_option
@click.option("--strict", is_flag=True, help="Warnings count as problems.")
def check_config(path: Path, *, strict: bool) -> None:
    """Read a configuration and say everything that is wrong with it.

    Exits with 0 where it can be used, and with 2 after every problem as "path: problem".
    """
    config = load_config(path)
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    if strict and config.warnings:
        raise ConfigError(config.warnings)
    click.echo(_summary(config))


def _summary(config: Config) -> str:
    services = config.intent.services
    servers = sum(len(service.real_servers) for service in services)
    return f"ok: {_count(len(services), 'virtual service')}, {_count(servers, 'real server')}, " + _count(
        len(config.intent.checks), "check"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@cli.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@cli.command()
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Where the agent listens.")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait for its answer.")
@click.option("--json", "as_json", is_flag=True, help="The whole answer of /api/v1/status.")
def status(url: str, timeout: float, *, as_json: bool) -> None:
    """Show what a running agent knows of its services and servers."""
    document = fetch_status(url, timeout)
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        show_status(document)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes lvs-agent's commands and options in SHELL.

    \b
    bash:  lvs-agent completion bash > /etc/bash_completion.d/lvs-agent
    zsh:   lvs-agent completion zsh > "${fpath[1]}/_lvs-agent"
    fish:  lvs-agent completion fish > ~/.config/fish/completions/lvs-agent.fish
    """  # noqa: D301 - the control character that click wants
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - not needed to run the agent

    completer = get_completion_class(shell)
    if completer is not None:
        click.echo(completer(cli, {}, "lvs-agent", "_LVS_AGENT_COMPLETE").source())


cli.add_command(plan)
cli.add_command(demo)


def main() -> None:
    """Run the command line, and turn errors into lines and exit codes."""
    try:
        cli(prog_name="lvs-agent")
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"error: {problem}", err=True)
        sys.exit(EXIT_UNUSABLE)
    except LvsAgentError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)
    except BaseExceptionGroup as group:
        for line in _leaves(group):
            click.echo(f"error: {line}", err=True)
        sys.exit(EXIT_FAILED)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[str]:
    """One line for each exception at the bottom of ``group``."""
    return [
        line
        for error in group.exceptions
        for line in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [f"{type(error).__name__}: {error}"])
    ]

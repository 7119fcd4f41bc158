"""The commands that need little more than their options, and the entry point."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import click
import uvloop

from lvs_agent import __version__
from lvs_agent.cli.demo import demo
from lvs_agent.cli.options import (
    Ipvs,
    backend_opener,
    config_option,
    ipvs_option,
    listen_option,
    problems_of,
    procfs_option,
    read_config,
)
from lvs_agent.cli.plan import plan
from lvs_agent.cli.status import DEFAULT_URL, fetch_status, show_status
from lvs_agent.config import Config, json_schema, load_config
from lvs_agent.daemon import Daemon, Options
from lvs_agent.errors import ConfigError, LvsAgentError
from lvs_agent.log import LogFormat, LogLevel, configure
from lvs_agent.web.server import bind

EXIT_FAILED = 1
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110, "show_default": True}


@click.group(context_settings=_SETTINGS)
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
@listen_option(default="agent.listen", text="Serve /metrics and the API there.")
@ipvs_option
@procfs_option
@click.option("--dry-run", is_flag=True, help="Check and plan, but write nothing to the table.")
@click.option(
    "--log-format",
    type=click.Choice([form.value for form in LogFormat]),
    show_default="log.format",
    help="How a line is written.",
)
@click.option(
    "--log-level",
    type=click.Choice([level.value for level in LogLevel]),
    show_default="log.level",
    help="The least important lines to write.",
)
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
    agent.on_stop says otherwise.  Defaults named like agent.listen are what the configuration says there.
    """
    config = read_config(path)
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
    """Print the completion script of a shell.

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


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``arguments`` (by default the process's own), turn errors into lines, and exit."""
    try:
        outcome = cli(arguments, prog_name="lvs-agent", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(EXIT_UNUSABLE)
    except click.UsageError as error:
        _complain(_with_help(error))
        sys.exit(EXIT_UNUSABLE)
    except click.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except ConfigError as error:
        _complain(*error.problems)
        sys.exit(EXIT_UNUSABLE)
    except LvsAgentError as error:
        _complain(error)
        sys.exit(EXIT_FAILED)
    except BaseExceptionGroup as group:
        _complain(*_leaves(group))
        sys.exit(EXIT_FAILED)
    sys.exit(outcome if isinstance(outcome, int) else 0)


def _complain(*lines: object) -> None:
    for line in lines:
        click.echo(f"error: {line}", err=True)


def _with_help(error: click.UsageError) -> str:
    """What is wrong with a command line, and where to read how it should be."""
    command = error.ctx.command_path if error.ctx else "lvs-agent"
    return f"{' '.join(error.format_message().split()).removesuffix('.')}; see {command} --help"


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[str]:
    """One line for each exception at the bottom of ``group``."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield str(error) if isinstance(error, LvsAgentError) else f"{type(error).__name__}: {error}"

"""The group of the commands, and the entry point.

A command is a module of this package with a click command of the same name (``-`` as ``_``).  It is imported when it
is asked for: the agent must not wait for libraries that only draw tables.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import NoReturn

import click

from lvs_agent import __version__
from lvs_agent.errors import ConfigError, LvsAgentError

EXIT_FAILED = 1
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT

_COMMANDS = ("check-config", "completion", "demo", "events", "plan", "run", "schema", "status", "why")
_ELSEWHERE: Mapping[str, str] = {
    "convert": "lvs_agent.ldirectord.convert.command",  # annex
}
"""Commands of other packages than this one, with their modules."""
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110, "show_default": True}


class _Commands(click.Group):
    """The commands, each imported when it is used."""

    def list_commands(self, _: click.Context) -> list[str]:
        return sorted((*_COMMANDS, *_ELSEWHERE))

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in {*_COMMANDS, *_ELSEWHERE}:
            return None
        name = cmd_name.replace("-", "_")
        with _without_collection():
            command = getattr(import_module(_ELSEWHERE.get(cmd_name, f"lvs_agent.cli.{name}")), name)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] == "run":
            # SIGHUP would end the process until the agent handles it, half a second from here: it waits until then.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        return super().resolve_command(ctx, args)


@contextmanager
def _without_collection() -> Iterator[None]:
    """What an import makes stays: looking for garbage in it, now or later, would only take time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@click.group(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="lvs-agent")
def cli() -> None:
    """Keep an IPVS table in sync: check the real servers, update the table, export metrics to Prometheus.

    \b
    lvs-agent demo                        see it work, without root and without IPVS
    lvs-agent check-config --config FILE  every problem of a configuration
    lvs-agent plan --config FILE          what would change in the kernel's table
    lvs-agent run --config FILE           the agent
    lvs-agent status                      what a running agent knows
    lvs-agent why SERVICE SERVER          why a server is in service or not
    lvs-agent events --since 12h          what has happened
    """  # noqa: D301 - the control character that click wants


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

"""The command line of ``lvs-ldirectord``: ldirectord's own, with either order of its two words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from lvs_agent import __version__
from lvs_agent.errors import LvsAgentError
from lvs_agent.ldirectord.command.actions import perform
from lvs_agent.ldirectord.command.configuration import DEFAULT_NAME
from lvs_agent.ldirectord.command.order import FAILED, USAGE, Action, Order, Probe

_ACTIONS = {action.value: action for action in Action}
_SETTINGS = {"help_option_names": ["-h", "-?", "--help"], "max_content_width": 110, "show_default": True}


@click.command(context_settings=_SETTINGS, no_args_is_help=False)
@click.version_option(__version__, "-v", "--version", prog_name="lvs-ldirectord")
@click.option("-d", "--debug", is_flag=True, help="Stay in the foreground, and log there.")
@click.option("--keep-table", is_flag=True, help="With stop: leave the table as it is, whatever cleanstop says.")
@click.option(
    "--probe",
    type=click.Choice([probe.value for probe in Probe]),
    help="With status: also ask the agent whether it works, or whether the table is in sync; exit with 4 if not.",
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/run/lvs-agent"),
    envvar="LVS_LDIRECTORD_RUN_DIR",
    show_envvar=True,
    metavar="DIR",
    help="Where the pid files are.",
)
@click.option(
    "--log-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="LVS_LDIRECTORD_LOG",
    show_default="/var/log/lvs-agent/NAME.log",
    show_envvar=True,
    metavar="FILE",
    help="File to which the agent's log is appended.",
)
@click.option(
    "--start-timeout",
    type=click.FloatRange(min=0.0),
    default=10.0,
    envvar="LVS_LDIRECTORD_START_TIMEOUT",
    show_envvar=True,
    metavar="SECONDS",
    help="How long start waits for the table to be in sync; then it returns, and the agent goes on.",
)
@click.option(
    "--stop-timeout",
    type=click.FloatRange(min=0.0),
    default=40.0,
    envvar="LVS_LDIRECTORD_STOP_TIMEOUT",
    show_envvar=True,
    metavar="SECONDS",
    help="How long the agent, and a fallbackcommand that it waits for, may take to stop before it is killed.",
)
@click.argument("words", nargs=-1, metavar="[CONFIG] ACTION")
def cli(
    words: tuple[str, ...],
    *,
    debug: bool,
    keep_table: bool,
    run_dir: Path,
    log_file: Path | None,
    start_timeout: float,
    stop_timeout: float,
    probe: str | None,
) -> int:
    """Run lvs-agent with a configuration of ldirectord, with the command line of ldirectord.

    ACTION is start, stop, restart, try-restart, reload, force-reload, status or check-config.

    CONFIG is looked for in /etc/ha.d, in /etc/ha.d/conf, and then as a path; the default is ldirectord.cf.  It may also
    follow ACTION.

    start returns when the table is in sync, stop when the agent has stopped.  restart and try-restart keep the table as
    it is; stop does what cleanstop says.  Further options for the agent come from LVS_AGENT_OPTIONS, in the
    environment or in /etc/default/lvs-agent.

    Exits with 0 on success, 1 on failure, 2 if the configuration cannot be used, 3 if status finds nothing running, and
    255 if the command line cannot be used.
    """
    config, action = _sorted(words)
    order = Order(
        config=config,
        debug=debug,
        keep_table=keep_table,
        probe=Probe(probe) if probe else None,
        run_dir=run_dir.absolute(),
        log_dir=Path("/var/log/lvs-agent"),
        log_file=log_file.absolute() if log_file else None,
        start_timeout_s=start_timeout,
        stop_timeout_s=stop_timeout,
    )
    return perform(action, order)


def _sorted(words: tuple[str, ...]) -> tuple[str, Action]:
    """The configuration and the action.  Where both words are actions the last one counts, as for ldirectord."""
    match words:
        case (action,) if action in _ACTIONS:
            return DEFAULT_NAME, _ACTIONS[action]
        case (config, action) if action in _ACTIONS:
            return config, _ACTIONS[action]
        case (action, config) if action in _ACTIONS:
            return config, _ACTIONS[action]
        case _:
            raise click.UsageError(f"give a configuration and one of {', '.join(_ACTIONS)}")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``arguments`` (by default the process's own), turn errors into lines, and exit."""
    try:
        outcome = cli(arguments, prog_name="lvs-ldirectord", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(USAGE)
    except click.Abort:
        sys.exit(FAILED)
    except LvsAgentError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(FAILED)
    sys.exit(outcome if isinstance(outcome, int) else 0)

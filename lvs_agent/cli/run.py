"""``lvs-agent run``: the agent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click
import uvloop
from click.core import ParameterSource

from lvs_agent.cli.ldirectord import monitor_line  # annex
from lvs_agent.cli.options import (
    LISTEN_VARIABLE,
    Ipvs,
    backend_opener,
    config_option,
    ipvs_option,
    listen_option,
    load_in_format,
    procfs_option,
)
from lvs_agent.config import Config, parse_config
from lvs_agent.config.unexpected import unexpected_is_refused
from lvs_agent.daemon import Daemon, Options
from lvs_agent.errors import ConfigError
from lvs_agent.log import LogFormat, LogLevel, configure
from lvs_agent.model.intent import Intent
from lvs_agent.web.server import bind
from lvs_agent.workers.processes import Starter

READABLE = tuple(map(Path, ("/etc/lvs-agent", "/etc/ha.d", "/etc/ssl", "/etc/pki", "/run/credentials", "/run/secrets")))
"""Directories with operators' files, besides that of the configuration, that an agent which is not root may read."""


@click.command()
@config_option
@listen_option(default="agent.listen", text="Serve /metrics and the API there.", envvar=LISTEN_VARIABLE)
@ipvs_option
@procfs_option
@click.option(
    "--command-user",
    envvar="LVS_AGENT_COMMAND_USER",
    show_envvar=True,
    metavar="NAME",
    show_default="agent.command_user",
    help="User that runs commands which do not set a user.",
)
@click.option(
    "--web-config-file",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    show_default="agent.web_config_file",
    help="TLS and passwords, in the format of Prometheus' exporters.",
)
@click.option("--dry-run", is_flag=True, help="Check and plan, but write nothing to the table.")
@click.option(
    "--observe",
    is_flag=True,
    help="Export the table of another program: no checks, no plans, nothing written.  Needs no configuration file.",
)
@click.option(
    "--log-format",
    type=click.Choice([form.value for form in LogFormat]),
    show_default="log.format",
    help="Format of log lines.",
)
@click.option(
    "--log-level",
    type=click.Choice([level.value for level in LogLevel]),
    show_default="log.level",
    help="Lowest level that is logged.",
)
def run(
    path: Path,
    config_format: str | None,
    listen: tuple[str, int] | None,
    ipvs: str,
    procfs: Path,
    *,
    command_user: str | None,
    web_config_file: Path | None,
    dry_run: bool,
    observe: bool,
    log_format: str | None,
    log_level: str | None,
) -> None:
    """Run the agent in the foreground.

    SIGHUP, or a changed file, reloads the configuration; SIGTERM stops the agent.  The table stays in the kernel unless
    on_stop says otherwise.  A default such as agent.listen is the value of that key in the configuration.

    With --observe only the tables [agent], [metrics] and [log] of the configuration are used, not its virtual services.
    """
    with Starter.fork(readable=[path.absolute().parent, *READABLE]) as starter:  # before anything is read
        is_named = click.get_current_context().get_parameter_source("path") is not ParameterSource.DEFAULT
        given = _Given(
            config_format=config_format,
            command_user=command_user,
            web_config_file=web_config_file,
            observes=observe,
            may_be_missing=observe and not is_named,
        )
        config = _at_start(given, path)
        counts = configure(
            form=LogFormat(log_format) if log_format else config.agent.log_format,
            level=LogLevel(log_level) if log_level else config.agent.log_level,
        )
        listener = bind(listen or (str(config.agent.listen.address), config.agent.listen.port))
        starter.give_up_privileges(own=config.agent.state_dir)
        options = Options(
            path=path,
            config=config,
            load=given.load,
            open_backend=backend_opener(Ipvs(ipvs), procfs=procfs),
            listener=listener,
            writes=not (dry_run or observe),
            observes=observe,
            log_messages=counts,
            starter=starter,
            monitor_line=monitor_line,  # annex
        )
        uvloop.run(_run(options))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What the command line says instead of the configuration, at the start and at each reload.

    ``observes``: there are no virtual services.  ``may_be_missing``: without a file every default holds.
    """

    config_format: str | None
    command_user: str | None
    web_config_file: Path | None
    observes: bool
    may_be_missing: bool

    def load(self, path: Path) -> Config:
        """What is read at the start and at each reload.  Raises ConfigError."""
        if self.may_be_missing and not path.exists():
            return self._over(parse_config("", base=path.parent))
        return self._over(load_in_format(path, self.config_format))

    def _over(self, config: Config) -> Config:
        """``config``, with what was given in its place."""
        agent = config.agent
        if self.command_user is not None:
            agent = replace(agent, command_user=self.command_user)
        if self.web_config_file is not None:
            agent = replace(agent, web_config_file=self.web_config_file.absolute())
        return replace(config, agent=agent, intent=Intent(checks={}) if self.observes else config.intent)


def _at_start(given: _Given, path: Path) -> Config:
    try:
        with unexpected_is_refused(path):
            return given.load(path)
    except ConfigError as error:
        raise error.in_file(path) from error


async def _run(options: Options) -> None:
    await Daemon(options).run()

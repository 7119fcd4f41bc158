"""What the command line asks for, and the agent that it is about."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lvs_agent.errors import StartError
from lvs_agent.ldirectord.command import configuration, instance
from lvs_agent.ldirectord.command.instance import Instance, Record

FAILED, UNUSABLE, STOPPED, SILENT, USAGE = 1, 2, 3, 4, 255
"""Exit codes: it could not be done, or a pid file is stale; the configuration cannot be used; nothing runs; what runs
does not answer; the command line cannot be used.
"""


class Action(Enum):
    """The words of ldirectord's command line, and one that it lacks."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    TRY_RESTART = "try-restart"
    RELOAD = "reload"
    FORCE_RELOAD = "force-reload"
    STATUS = "status"
    CHECK_CONFIG = "check-config"


class Probe(Enum):
    """What ``status`` asks of an agent that runs: that its check loop turns; that the table is in sync, too."""

    LIVE = "live"
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the command line says besides the action.

    ``config``: as it was written.  ``keep_table``: ``stop`` leaves the table as it is, whatever the configuration says.
    ``log_file`` None: one in ``log_dir``, named after the configuration.  ``start``
    waits ``start_timeout_s`` for the first verdicts.  An agent that takes longer than ``stop_timeout_s`` to end is
    killed.
    """

    config: str
    debug: bool
    keep_table: bool
    probe: Probe | None
    run_dir: Path
    log_dir: Path
    log_file: Path | None
    start_timeout_s: float
    stop_timeout_s: float


def find(order: Order) -> Instance | None:
    """The agent that runs for this configuration, or the pid file that one left; None where there is no trace."""
    return instance.find(configuration.candidates(order.config), directory=order.run_dir)


def find_known(order: Order) -> Instance | None:
    """The same; raises StartError where there is neither a trace nor a configuration."""
    found = find(order)
    if found is None:
        config_of(order)
    return found


def config_of(order: Order) -> Path:
    """The configuration that is meant.  Raises StartError where there is none."""
    places = configuration.candidates(order.config)
    config = configuration.existing(places)
    if config is None:
        looked_for = ", ".join(dict.fromkeys(map(str, places)))
        raise StartError(f"there is no configuration {order.config}: looked for {looked_for}")
    return config


def record_of(found: Instance) -> Record:
    """What its pid file says.  Raises StartError where it says nothing, because its starter was killed."""
    if found.record is None:
        raise StartError(f"an agent runs, but {found.path} does not say its pid; find it with: fuser {found.path}")
    return found.record


def send(record: Record, number: signal.Signals) -> None:
    """Send a signal to an agent that runs, or has just ended.  Raises StartError where that is not permitted."""
    try:
        os.kill(record.pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise StartError(f"no permission to signal lvs-agent (pid {record.pid}); run as root") from error

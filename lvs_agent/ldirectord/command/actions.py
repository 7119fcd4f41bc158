"""What each action does, and its exit code: those of ldirectord(8), where it has one.

Errors of the environment (nothing may be written, no such configuration) are raised as StartError: exit code 1.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from lvs_agent.errors import NoAnswer, StartError
from lvs_agent.ldirectord.command import ask, instance
from lvs_agent.ldirectord.command.instance import Instance, Record
from lvs_agent.ldirectord.command.launch import check
from lvs_agent.ldirectord.command.order import (
    FAILED,
    SILENT,
    STOPPED,
    Action,
    Order,
    Probe,
    find_known,
    record_of,
    send,
)
from lvs_agent.ldirectord.command.starting import launch, plan_of, start

RELOADS_WITHIN_S = 5.0
_KILLED_WITHIN_S = 5.0
_LOOK_S = 0.05


def perform(action: Action, order: Order) -> int:
    """Do it and give the exit code.  Raises StartError."""
    return _ACTIONS[action](order)


# --- stop and restart -------------------------------------------------------------------------------------------------


def _stop(order: Order) -> int:
    """Returns when the agent has ended.  What becomes of the table is said in its configuration, or by the order."""
    number = signal.SIGQUIT if order.keep_table else signal.SIGTERM
    return _end(find_known(order), with_signal=number, within_s=order.stop_timeout_s)


def _restart(order: Order) -> int:
    """The table stays as it is; where the configuration cannot be used, what runs goes on."""
    found = find_known(order)
    if found is not None and found.running:
        code, complaint = check(plan_of(order))
        if code:
            click.echo(complaint, err=True, nl=False)
            _say("not restarted: the running lvs-agent goes on with the configuration that it has")
            return code
    return _end(found, with_signal=signal.SIGQUIT, within_s=order.stop_timeout_s) or launch(order)


def _try_restart(order: Order) -> int:
    found = find_known(order)
    return _restart(order) if found and found.running else 0


def _end(found: Instance | None, *, with_signal: signal.Signals, within_s: float) -> int:
    """End what runs, wait for it and remove the pid file.  An agent that does not end is killed."""
    if found is None:
        return 0
    with instance.one_at_a_time(found.path):
        code = 0
        seen = instance.look(found.path)
        if seen.running:
            record = record_of(seen)
            send(record, with_signal)
            if not instance.ended_within(found.path, seconds=within_s):
                _say(f"lvs-agent (pid {record.pid}) did not stop within {within_s:g} s and is killed; the table stays")
                _kill(record, found.path)
                code = 0 if with_signal is signal.SIGQUIT else FAILED
        instance.forget(found.path)
    return code


def _kill(record: Record, path: Path) -> None:
    send(record, signal.SIGKILL)
    if not instance.ended_within(path, seconds=_KILLED_WITHIN_S):
        raise StartError(f"lvs-agent (pid {record.pid}) cannot be killed; see the kernel log (dmesg)")


# --- reload and status ------------------------------------------------------------------------------------------------


def _reload(order: Order) -> int:
    """Tells on standard error why a configuration was refused; the exit code is for the signal alone."""
    found = find_known(order)
    if found is None or not found.running:
        _say(f"lvs-agent is stopped for {order.config}: nothing to reload")
        return FAILED
    record = record_of(found)
    try:
        before = ask.reloads(_address(record))
    except NoAnswer as error:
        before = None
        _say(f"the result of the reload is only in the log {record.log}: {error}")
    send(record, signal.SIGHUP)
    if before is not None:
        _report_reload(record, before=before)
    return 0


def _report_reload(record: Record, *, before: ask.Reloads) -> None:
    try:
        now = _reloads_after(before, address=_address(record))
        problems = ask.problems(_address(record)) if now.refused > before.refused else ()
    except NoAnswer as error:
        _say(f"asked to reload, but the result is only in the log {record.log}: {error}")
        return
    for problem in problems:
        _say(f"error: {record.config}: {problem}")
    if now.refused > before.refused:
        _say("not reloaded: lvs-agent goes on with the configuration that it has")


def _reloads_after(before: ask.Reloads, *, address: str) -> ask.Reloads:
    """The counts once one more attempt has been made; raises NoAnswer where that takes too long."""
    give_up = time.monotonic() + RELOADS_WITHIN_S
    while (now := ask.reloads(address)).attempts == before.attempts:
        if time.monotonic() > give_up:
            raise NoAnswer(f"the agent did not reload within {RELOADS_WITHIN_S:g} s")
        time.sleep(_LOOK_S)
    return now


def _status(order: Order) -> int:
    found = find_known(order)
    config = found.record.config if found and found.record else order.config
    if found is not None and found.running:
        pid = found.record.pid if found.record else "unknown"
        _say(f"lvs-agent for {config} is running with pid: {pid}")
        return _probe(order.probe, found.record)
    if found is not None:
        # ldirectord's resource agent looks for the words "ldirectord stale pid file".
        _say(f"lvs-ldirectord stale pid file {found.path}: the agent has ended without a stop")
    click.echo(f"lvs-agent is stopped for {config}")
    return STOPPED if found is None else FAILED


def _probe(probe: Probe | None, record: Record | None) -> int:
    """Whether what runs also works; one that does not serve yet is given the benefit of the doubt."""
    if probe is None or record is None or record.address is None:
        return 0
    try:
        trouble = ask.what_is_stuck(record.address) or (
            ask.what_is_missing(record.address) if probe is Probe.READY else ()
        )
    except NoAnswer as error:
        trouble = (str(error),)
    for one in trouble:
        _say(one)
    return SILENT if trouble else 0


def _check_config(order: Order) -> int:
    code, complaint = check(plan_of(order))
    click.echo(complaint, err=True, nl=False)
    return code


def _address(record: Record) -> str:
    if record.address is None:
        raise NoAnswer("the agent does not answer yet")
    return record.address


def _say(text: str) -> None:
    click.echo(text, err=True)


_ACTIONS: Mapping[Action, Callable[[Order], int]] = {
    Action.START: start,
    Action.STOP: _stop,
    Action.RESTART: _restart,
    Action.TRY_RESTART: _try_restart,
    Action.RELOAD: _reload,
    Action.FORCE_RELOAD: _reload,
    Action.STATUS: _status,
    Action.CHECK_CONFIG: _check_config,
}

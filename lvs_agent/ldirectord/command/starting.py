"""``start``: the agent becomes a daemon, or stays in the foreground with ``--debug``."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import click

from lvs_agent.errors import NoAnswer
from lvs_agent.ldirectord.command import ask, instance
from lvs_agent.ldirectord.command.instance import State
from lvs_agent.ldirectord.command.launch import Launch, Plan, last_words, launched
from lvs_agent.ldirectord.command.order import FAILED, UNUSABLE, Order, config_of, find
from lvs_agent.ldirectord.command.service_context import service_context

SERVES_WITHIN_S = 30.0
"""A start that takes longer has failed."""
_LOOK_S = 0.05
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def plan_of(order: Order) -> Plan:
    """What is to be started.  Raises StartError where there is no configuration, or unreadable options."""
    config = config_of(order)
    log = None if order.debug else order.log_file or order.log_dir / f"{config.stem}.log"
    return Plan(config=config, log=log, context=service_context(config))


def start(order: Order) -> int:
    """Start the agent unless it runs, and give the exit code.

    Returns once the table is in sync, or the agent has ended, or took too long for the one or the other.
    """
    running = find(order)
    return 0 if running and running.running else launch(order)


def launch(order: Order) -> int:
    """The same for an agent that does not run."""
    plan = plan_of(order)
    path = instance.pid_file(plan.config, directory=order.run_dir)
    with ExitStack() as stack:
        with instance.one_at_a_time(path):
            pid_file = instance.claim(path)
            if pid_file is None:
                return 0
            begin = plan.log.stat().st_size if plan.log and plan.log.exists() else 0
            agent = stack.enter_context(launched(plan, pid_file=pid_file))
        code = (
            _accompany(agent)
            if plan.log is None
            else _until_at_work(agent, log=plan.log, begin=begin, in_sync_within_s=order.start_timeout_s)
        )
    if agent.process.returncode is not None:
        _forget(path, agent.process.pid)
    return code


def _until_at_work(agent: Launch, *, log: Path, begin: int, in_sync_within_s: float) -> int:
    missing = _missing(agent, within_s=in_sync_within_s) if agent.wait(seconds=SERVES_WITHIN_S) else ()
    ended = agent.process.poll()
    if ended is not None:
        for line in last_words(log, since=begin):
            click.echo(line, err=True)
        click.echo(f"lvs-agent has ended with exit code {ended}; its log is {log}", err=True)
        return UNUSABLE if ended == UNUSABLE else FAILED
    who = f"lvs-agent (pid {agent.process.pid}) runs"
    if agent.address is None:
        click.echo(f"{who}, but is not ready after {SERVES_WITHIN_S:g} s; its log is {log}", err=True)
        return FAILED
    if missing:
        click.echo(f"{who}, but the table is not in sync yet: {'; '.join(missing)}", err=True)
    return 0


def _missing(agent: Launch, *, within_s: float) -> tuple[str, ...]:
    """What is missing until the table is in sync, once ``within_s`` seconds are over."""
    give_up = time.monotonic() + within_s
    while (missing := _ask(agent.address or "")) and agent.process.poll() is None and time.monotonic() < give_up:
        time.sleep(_LOOK_S)
    return missing


def _ask(address: str) -> tuple[str, ...]:
    try:
        return ask.what_is_missing(address)
    except NoAnswer as error:
        return (str(error),)


def _accompany(agent: Launch) -> int:
    """Stay in the foreground until the agent ends; every signal that means something to it is passed on."""

    def pass_on(number: int, _: FrameType | None) -> None:
        agent.process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    try:
        agent.wait(seconds=SERVES_WITHIN_S)
        ended = agent.process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return ended if ended >= 0 else 128 - ended


def _forget(path: Path, pid: int) -> None:
    """Remove the pid file that our process left, unless it is another's by now."""
    with instance.one_at_a_time(path):
        left = instance.look(path)
        if left.state is State.STALE and left.record and left.record.pid == pid:
            instance.forget(path)

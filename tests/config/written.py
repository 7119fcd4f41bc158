"""Intents as lines of text, so that a file's expected outcome can stand beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lvs_agent.config import Config
from lvs_agent.model.check import CheckSpec
from lvs_agent.model.intent import OnStop, PassWhen, RealServer, VirtualService
from lvs_agent.model.ipvs import Destination, SchedulerFlag


def lines_of(config: Config) -> list[str]:
    """Everything that the configuration asks for, and its warnings."""
    found = [line for service in config.intent.services for line in _service(service, config)]
    return [*found, *(f"warning {warning}" for warning in config.warnings)]


def _service(each: VirtualService, config: Config) -> Iterator[str]:
    row = each.service
    flags = "" if row.scheduler_flags is SchedulerFlag.NONE else f" flags={int(row.scheduler_flags):#x}"
    kept = row.persistence
    persistence = "" if kept is None else f" persistence={kept.timeout_s},{kept.netmask},{kept.engine}"
    one_packet = " one_packet" if row.one_packet else ""
    yield f"service {each.name} {row.key} {row.scheduler}{flags}{persistence}{one_packet} quorum={each.quorum}"
    yield from _extras(each)
    for server in each.real_servers:
        yield f"  server {_destination(server.destination)} {_policy(server)} {_checks(server, config)}"
    if each.sorry_server is not None:
        yield f"  sorry {_destination(each.sorry_server)}"


def _extras(each: VirtualService) -> Iterator[str]:
    """What only few services have."""
    if each.comment:
        yield f"  comment {each.comment}"
    if each.on_stop is not OnStop.KEEP:
        yield f"  on_stop {each.on_stop.value}"
    if each.monitor_file:
        yield f"  monitor_file {Path(each.monitor_file).name}"
    if (told := each.sorry_command) is not None:
        yield f"  sorry_command {' '.join(told.command)} user={told.user} {told.timeout_s:g}s"


def _destination(row: Destination) -> str:
    tunnel = "" if row.tunnel is None else f"({row.tunnel.type.value},{row.tunnel.port},{row.tunnel.checksum.value})"
    limits = f" limits={row.lower_threshold}-{row.upper_threshold}" if row.upper_threshold else ""
    return f"{row.key} {row.forwarding.value}{tunnel} weight={row.weight}{limits}"


def _policy(server: RealServer) -> str:
    readd = "" if server.readd_quiesced else " stays_deleted"
    label = f" label={server.monitor_label}" if server.monitor_label else ""
    return f"on_down={server.on_down.value} initial={server.initial.value}{readd}{label}"


def _checks(server: RealServer, config: Config) -> str:
    lowering = [f"{_check(config.intent.checks[each])} leaves={percent}%" for each, percent in server.lowering]
    any_of = [] if server.pass_when is PassWhen.ALL else ["any of"]
    return (
        " ".join([*any_of, *(_check(config.intent.checks[each]) for each in server.checks), *lowering]) or "unchecked"
    )


def _check(spec: CheckSpec) -> str:
    times = f"{spec.interval_s:g}/{spec.down_interval_s:g}/{spec.timeout_s:g}s"
    connects = f" connects={spec.connects_between}" if spec.connects_between else ""
    return f"{spec.kind}@{spec.target.address}#{spec.target.port} {times} rise={spec.rise} fall={spec.fall}{connects}"

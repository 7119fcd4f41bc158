"""What the checks of a real server say, in sentences.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lvs_agent.checks.engine.schedule import interval_of
from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import CheckStatus
from lvs_agent.model.check import CheckSpec, Errored, Failed, Passed
from lvs_agent.model.intent import PassWhen, RealServer
from lvs_agent.model.ipvs import address_and_port
from lvs_agent.view.spans import about, ago, plural, span


@dataclass(frozen=True, slots=True)
class Outlook:
    """How many results in a row turn a check, and in how many seconds they can be there at the earliest."""

    results: int
    seconds: float


def check_sentences(
    server: RealServer, checks: tuple[tuple[CheckSpec, CheckStatus], ...], *, now: float
) -> Iterator[str]:
    """What each check of ``server`` says, and how many of them must."""
    if not server.checks:
        yield "It has no check that decides, so its health is never known, and its row stays as the kernel has it."
    elif len(server.checks) > 1:
        counted = "all of them pass" if server.pass_when is PassWhen.ALL else "any of them passes"
        yield f"It has {len(server.checks)} checks, and is up when {counted}."
    lowering = dict(server.lowering)
    for spec, status in checks:
        yield f"{called(spec)} {_verdict(status)}: {_last(status, now=now)}."
        if spec.id in lowering:
            yield f"It only lowers the weight: while it is down, the server has {lowering[spec.id]} % of its weight."
        if is_final(status):
            yield "Its result cannot change, so it does not run again."
        else:
            yield _streak(spec, status) + f" {_next(spec, status, now=now)}"


def called(spec: CheckSpec) -> str:
    """``http on 10.0.0.1:80``."""
    port = spec.target.port
    return f"{spec.kind} on {spec.target.address if port is None else address_and_port(spec.target.address, port)}"


def outlook(spec: CheckSpec, status: CheckStatus, *, towards: Health, now: float) -> Outlook:
    """What it takes until ``status`` is ``towards`` (up or down), if every result from now on says so."""
    health = status.state.health
    if health is towards:
        return Outlook(0, 0.0)
    if towards is Health.UP:
        wanted = spec.rise - status.state.against if health is Health.DOWN else 1
    else:
        wanted = spec.fall - status.state.against
    down = health is Health.DOWN
    return Outlook(
        wanted, until_next(spec, status, now=now) + (wanted - 1) * interval_of(spec, down=down, doubted=True)
    )


def is_final(status: CheckStatus) -> bool:
    """Whether the check does not run again, because its result cannot change."""
    return status.last is not None and status.last.is_final


def until_next(spec: CheckSpec, status: CheckStatus, *, now: float) -> float:
    """Seconds until the next run, as far as the last one shows; 0 before the first."""
    last = status.last
    if last is None:
        return 0.0
    down = status.state.health is Health.DOWN
    doubted = not isinstance(last.result, Errored) and isinstance(last.result, Passed) is down
    began = last.ended_at - last.duration_s
    return max(0.0, began + interval_of(spec, down=down, doubted=doubted) - now)


def _verdict(status: CheckStatus) -> str:
    return {Health.UP: "says up", Health.DOWN: "says down", Health.UNKNOWN: "has not decided"}[status.state.health]


def _last(status: CheckStatus, *, now: float) -> str:
    last = status.last
    if last is None:
        return "it has not run yet"
    ran = f"the last run, {ago(now - last.ended_at)},"
    detail = f" ({shown(last.result.detail)})" if last.result.detail else ""
    match last.result:
        case Passed():
            return f"{ran} passed in {span(last.duration_s)}{detail}"
        case Failed(reason):
            return f"{ran} failed with {reason.value}{detail} after {span(last.duration_s)}"
        case Errored(reason):
            return f"{ran} was not possible, which is not the server's fault: {reason.value}{detail}"


def shown(detail: str) -> str:
    """What a server sent need not be Unicode, and is shown all the same."""
    return detail.encode(errors="replace").decode()


def _streak(spec: CheckSpec, status: CheckStatus) -> str:
    """What the results so far count for."""
    against = status.state.against
    match status.state.health:
        case Health.UP if against:
            return f"It has {against} of the {plural(spec.fall, 'failure')} in a row that take it down."
        case Health.UP:
            return f"{_in_a_row(spec.fall, 'failure', 'failures')} would take it down."
        case Health.DOWN if against:
            return f"It has {against} of the {plural(spec.rise, 'success', 'successes')} in a row that bring it up."
        case Health.DOWN:
            return f"{_in_a_row(spec.rise, 'success', 'successes')} would bring it up."
        case Health.UNKNOWN:
            more = "more " if against else ""
            left = _in_a_row(spec.fall - against, f"{more}failure", f"{more}failures")
            return f"1 success would bring it up, {left} would take it down."


def _in_a_row(count: int, word: str, words: str) -> str:
    return plural(count, word, words) + (" in a row" if count > 1 else "")


def _next(spec: CheckSpec, status: CheckStatus, *, now: float) -> str:
    seconds = until_next(spec, status, now=now)
    return f"It runs again in about {about(seconds)}." if seconds else "It is about to run."

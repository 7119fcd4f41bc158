"""What one report adds to the status of a check, and one verdict to the status of a real server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from lvs_agent.core.health import Health, judge
from lvs_agent.core.snapshot import CheckStatus, ServerStatus
from lvs_agent.model.check import CheckReport, Errored, Failed

_Reason = TypeVar("_Reason")


def account(status: CheckStatus, report: CheckReport, *, rise: int, fall: int) -> CheckStatus:
    """The status of a check after ``report``."""
    result = report.result
    return CheckStatus(
        judge(status.state, result, rise=rise, fall=fall),
        report,
        _one_more(status.failures, result.reason) if isinstance(result, Failed) else status.failures,
        _one_more(status.errors, result.reason) if isinstance(result, Errored) else status.errors,
        status.durations.with_values((report.duration_s,)),
    )


def _one_more(counts: Mapping[_Reason, int], reason: _Reason) -> Mapping[_Reason, int]:
    return {**counts, reason: counts.get(reason, 0) + 1}


def settle(status: ServerStatus, health: Health, *, at: float, remembered: ServerStatus | None = None) -> ServerStatus:
    """The status of a real server whose health is ``health`` since ``at``.

    ``remembered`` is the word of an earlier process: where it knew the same, the server has been so since then.
    A first verdict is not a change, so only changes between up and down are counted.
    """
    if health is status.health:
        return status
    if status.health is Health.UNKNOWN and remembered is not None and remembered.health is health:
        return replace(status, health=health, since=remembered.since)
    return ServerStatus(
        health=health,
        since=at,
        ups=status.ups + (status.health is Health.DOWN and health is Health.UP),
        downs=status.downs + (status.health is Health.UP and health is Health.DOWN),
    )

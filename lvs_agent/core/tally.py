"""The status of a real server after a change of health."""

from __future__ import annotations

from dataclasses import replace

from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import ServerStatus


def settle(status: ServerStatus, health: Health, *, at: float, remembered: ServerStatus | None = None) -> ServerStatus:
    """The status of a real server whose health is ``health`` since ``at``.

    ``remembered`` is the status from an earlier process: if its health is the same, its ``since`` is kept.
    The first known health is not a change, so only changes between up and down are counted.
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

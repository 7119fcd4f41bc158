"""Where everything that is served comes from, apart from the kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lvs_agent.config import MetricsSettings
from lvs_agent.core.snapshot import Snapshot, Vitals
from lvs_agent.model.event import Event, EventQuery


def _no_events(_: EventQuery) -> tuple[Event, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Each is called from threads of the web server and must not wait.

    ``snapshot`` gives what the agent knows now, ``vitals`` in constant time whether it lives and is ready, ``events``
    what has happened, ``metrics`` what /metrics is to show.
    """

    snapshot: Callable[[], Snapshot]
    vitals: Callable[[], Vitals]
    events: Callable[[EventQuery], tuple[Event, ...]] = _no_events
    metrics: Callable[[], MetricsSettings] = MetricsSettings

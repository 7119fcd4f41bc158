"""The check workers: processes that run the checks."""

from __future__ import annotations

from enum import Enum


class WorkerState(Enum):
    """Of a check worker.  A metric label, so this set is closed.

    A worker is ``starting`` until it has said something, and ``failed`` while the next one waits because it ended again
    and again.
    """

    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


class LossCause(Enum):
    """Why a check worker was replaced: it ended, it said nothing any more, or it said what none says.  A metric label,
    so this set is closed.
    """

    DIED = "died"
    HUNG = "hung"
    INVALID = "invalid"

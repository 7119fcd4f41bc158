"""The progress of a probe, which determines the result of a timeout."""

from __future__ import annotations

from enum import Enum


class Stage(Enum):
    """The stage of a probe.

    QUEUED: it still waits for a local resource (such as a free place to run a command), so the server has not failed.
    """

    QUEUED = "queued"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class Progress:
    """The progress of the running probe of one check: its stage, and a text that says what it waits for."""

    __slots__ = ("stage", "waiting_for")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start from the beginning, for a new probe or a new connection of one."""
        self.stage = Stage.CONNECTING
        self.waiting_for = "connection"

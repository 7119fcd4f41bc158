"""How far a probe has come, which decides what it means that it runs out of time."""

from __future__ import annotations

from enum import Enum


class Stage(Enum):
    """How far a probe has come.

    QUEUED: it still waits for something of our own (a free place to run a command), so the server is not to blame.
    """

    QUEUED = "queued"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class Progress:
    """Where the running probe of one check stands: its stage, and in words what it waits for."""

    __slots__ = ("stage", "waiting_for")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start from the beginning, for a new probe or a new connection of one."""
        self.stage = Stage.CONNECTING
        self.waiting_for = "connection"

"""A program to run, and how it ended."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lvs_agent.commands.privileges import OF_A_CHECK, Limits
from lvs_agent.one_line import one_line

ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
)
"""The environment variables of a program, by default."""
OUTPUT_LIMIT = 4_096
"""Bytes of output that are kept, by default."""

_LINE_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run.  ``user`` None: as the user of the runner.  ``leaves``: processes that it has started may stay
    when it ends.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    user: str | None
    output_limit: int
    leaves: bool = False
    limits: Limits = OF_A_CHECK


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended: with an exit status or by a signal; the other one is None."""

    exit_status: int | None
    signal: int | None
    output: str

    @property
    def first_line(self) -> str:
        """The first line of the output that is not blank, 200 characters at most; "?" for what cannot be printed."""
        line = next((line.strip() for line in self.output.splitlines() if line.strip()), "")
        return one_line(line[:_LINE_SHOWN], instead="?")

    @property
    def signal_name(self) -> str | None:
        """The name of the signal, such as SIGKILL; the number of a real-time signal."""
        return None if self.signal is None else signal_name(self.signal)


def signal_name(number: int) -> str:
    """The name of a signal, such as SIGKILL; the number of a real-time signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

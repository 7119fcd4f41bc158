"""Several plain connections between whole probes, for servers on which a whole probe is a heavy load."""

from __future__ import annotations

from lvs_agent.checks.kinds import Checker
from lvs_agent.checks.net.connection import connect
from lvs_agent.model.check import CheckResult, CheckSpec, Passed
from lvs_agent.settings.check import CheckSettings

_CONNECTION = Checker("tcp", CheckSettings, connect, "", inline=True)
"""The probe of a tcp check without steps; it does not use the settings of the whole probe."""


class Alternating:
    """Chooses between a TCP connection and the whole probe of a check.

    After ``connects_between`` successful connections, a whole probe follows.  It also follows a failed connection and a
    whole probe that does not pass: a doubtful server is always checked completely.  The first probe is a whole one.
    """

    __slots__ = ("_connected", "_connects", "_whole", "_whole_runs")

    def __init__(self, checker: Checker, spec: CheckSpec) -> None:
        self._whole = checker
        self._connects = spec.connects_between
        self._connected = spec.connects_between
        self._whole_runs = False

    def next(self) -> Checker:
        """The probe to run now."""
        self._whole_runs = self._connected >= self._connects
        return self._whole if self._whole_runs else _CONNECTION

    def note(self, result: CheckResult) -> None:
        """Note the result of the probe that ``next`` returned last."""
        if not isinstance(result, Passed):
            self._connected = self._connects
        else:
            self._connected = 0 if self._whole_runs else self._connected + 1

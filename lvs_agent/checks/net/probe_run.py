"""The context of a probe: resources that it shares with others, and state that is kept for the next probe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from lvs_agent.checks.net.progress import Progress
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.model.check import CheckId

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")


class Closeable(Protocol):
    """Something that is kept from one probe to the next."""

    def close(self) -> None:
        """Release it."""


class ProbeRun:
    """The context of the probes of one check, which run one at a time on one loop.

    ``progress``: the progress of the running probe.  ``held``: an object that one probe leaves to the next, such as an
    open connection; closed when the check is removed.  ``request_early_run``: starts the next probe now instead of at
    its time; called by the held object.  ``restart_deadline``: restarts the time limit of the running probe, which had
    to wait for a slot of ours.  ``poller``, ``pinger``, ``threads``: shared by all checks of an engine.  ``commands``
    runs the command of the check.
    """

    __slots__ = (
        "_cache", "commands", "held", "pinger", "poller", "progress", "request_early_run", "restart_deadline",
        "threads",
    )  # fmt: skip

    def __init__(
        self,
        resources: ProbeResources,
        *,
        check: CheckId = CheckId(""),  # noqa: B008 - a str
        request_early_run: Callable[[], object] = lambda: None,
        restart_deadline: Callable[[], object] = lambda: None,
    ) -> None:
        self.progress = Progress()
        self.held: Closeable | None = None
        self.request_early_run = request_early_run
        self.restart_deadline = restart_deadline
        self.poller = resources.poller
        self.pinger = resources.pinger
        self.threads = resources.threads
        self.commands = resources.commands.of(check)
        self._cache: dict[Callable[..., Any], Any] = {}

    def cached(self, make: Callable[Arguments, Value], /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        """The result of ``make``, which is called once for all probes of the check.

        So ``make`` (a function of a module, or a class) and its arguments must be the same each time.
        """
        try:
            return cast("Value", self._cache[make])
        except KeyError:
            made = self._cache[make] = make(*args, **kwargs)
            return made

    def release(self) -> None:
        """Close the held object."""
        held, self.held = self.held, None
        if held is not None:
            held.close()

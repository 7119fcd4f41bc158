"""What a probe is given besides its target: what it shares with others, and what is kept from one probe to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from lvs_agent.checks.net.progress import Progress
from lvs_agent.checks.net.resources import ProbeResources

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")


class Closeable(Protocol):
    """Something that is kept from one probe to the next."""

    def close(self) -> None:
        """Release it."""


class ProbeRun:
    """What the probes of one check use while they run; one at a time, on one loop.

    ``progress``: where the running probe stands.  ``held``: what one probe leaves to the next, such as an open
    connection; closed when the check is removed.  ``request_early_run``: has the next probe run now instead of at its
    time; called by what is held.  ``poller``, ``pinger``, ``threads``, ``commands``: shared by all checks of an engine.
    """

    __slots__ = ("_cache", "commands", "held", "pinger", "poller", "progress", "request_early_run", "threads")

    def __init__(self, resources: ProbeResources, *, request_early_run: Callable[[], object] = lambda: None) -> None:
        self.progress = Progress()
        self.held: Closeable | None = None
        self.request_early_run = request_early_run
        self.poller = resources.poller
        self.pinger = resources.pinger
        self.threads = resources.threads
        self.commands = resources.commands
        self._cache: dict[Callable[..., Any], Any] = {}

    def cached(self, make: Callable[Arguments, Value], /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        """What ``make`` returned when it was first called here: it is called once for all probes of the check.

        So its arguments must be the same each time, and ``make`` itself must be (a function of a module, a class).
        """
        try:
            return cast("Value", self._cache[make])
        except KeyError:
            made = self._cache[make] = make(*args, **kwargs)
            return made

    def release(self) -> None:
        """Close what is held."""
        held, self.held = self.held, None
        if held is not None:
            held.close()

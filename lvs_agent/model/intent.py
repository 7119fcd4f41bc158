"""The operator's configuration: virtual services, their real servers and sorry servers.

The configuration is converted to these types once; all other parts use them and do not depend on a file format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from lvs_agent.model.check import CheckId, CheckSpec
from lvs_agent.model.ipvs import Destination, DestinationKey, Service, ServiceKey


class OnDown(Enum):
    """What happens to a real server that is down: REMOVE deletes its entry, QUIESCE keeps it at weight 0."""

    REMOVE = "remove"
    QUIESCE = "quiesce"


class Initial(Enum):
    """How a real server that was never seen before counts until its first check result."""

    UP = "up"
    DOWN = "down"


class PassWhen(Enum):
    """How many of a real server's checks must pass for it to be up."""

    ALL = "all"
    ANY = "any"


class OnStop(Enum):
    """What happens to a service in the kernel when the program stops."""

    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class SorryCommand:
    """A program to run when the last real server of a service fails, and when the first one recovers.

    ``command`` is a full path and arguments; ``user`` None leaves the choice to the program.
    """

    command: tuple[str, ...]
    user: str | None = None
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RealServer:
    """One real server.

    ``destination`` is its row in the kernel while the server is up.  ``name`` is its name in logs, metrics and the API.
    All of ``checks`` must pass, or any of them, depending on ``pass_when``; without checks, the health of the server
    stays unknown and its row stays as the kernel has it.  ``lowering`` are checks that do not affect the health: while
    one is down, the server has only the given percent of its weight.  ``readd_quiesced`` False: a row at weight 0 that
    others have deleted stays deleted until the server is up.  ``monitor_label`` is the name of the server in the
    service's monitor file.
    """

    name: str
    destination: Destination
    checks: tuple[CheckId, ...]
    on_down: OnDown = OnDown.REMOVE
    initial: Initial = Initial.DOWN
    readd_quiesced: bool = True
    monitor_label: str = ""
    pass_when: PassWhen = PassWhen.ALL
    lowering: tuple[tuple[CheckId, int], ...] = ()

    @property
    def key(self) -> DestinationKey:
        return self.destination.key

    @property
    def all_checks(self) -> tuple[CheckId, ...]:
        """The checks that decide the health, then those that only lower the weight."""
        return (*self.checks, *(check for check, _ in self.lowering))


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualService:
    """One virtual service.  ``sorry_server`` is active while no real server has a weight above 0, and ``sorry_command``
    is called then.  ``quorum`` is the number of real servers that must be up for the service to count as healthy; it is
    only reported.  ``comment`` is for people.  ``monitor_file``: path of a file that gets a line for each
    result of a check.
    """

    name: str
    service: Service
    real_servers: tuple[RealServer, ...] = ()
    sorry_server: Destination | None = None
    quorum: int = 1
    comment: str = ""
    on_stop: OnStop = OnStop.KEEP
    sorry_command: SorryCommand | None = None
    monitor_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """The whole configuration of the table.  Every check that a real server names is in ``checks``."""

    services: tuple[VirtualService, ...] = ()
    checks: Mapping[CheckId, CheckSpec]

    @property
    def names(self) -> Mapping[ServiceKey, str]:
        """The name of each service."""
        return {service.service.key: service.name for service in self.services}

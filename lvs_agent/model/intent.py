"""What the operator has configured: virtual services, their real servers and sorry servers.

The configuration is turned into these types once; everything behind it works on them and knows no file format.
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
    """How a real server counts that was never seen before, until its first check has spoken."""

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

    ``destination`` is the row that the kernel has while the server is up.  ``name`` is how logs, metrics and the API
    call it.  All of ``checks`` must pass, or any, as ``pass_when`` says; where there is none, nothing is ever known of
    the server and its row stays as the kernel has it.  ``lowering`` are checks that decide nothing: while one is down,
    the server has only so many percent of its weight.  ``readd_quiesced`` False: a row at weight 0 that others
    have deleted stays deleted until the server is up.  ``monitor_label`` stands for the server in the service's monitor
    file.
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
        """The checks that decide, then those that only lower the weight."""
        return (*self.checks, *(check for check, _ in self.lowering))


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualService:
    """One virtual service.  ``sorry_server`` is active while no real server serves, and ``sorry_command`` is called
    then; ``quorum`` is the number of real servers that must be up for the service to count as healthy (it is reported,
    nothing depends on it).  ``comment`` is for people.  ``monitor_file``: path of a file that gets a line for each
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
    """Everything that the operator wants of the table.  Every check named by a real server is in ``checks``."""

    services: tuple[VirtualService, ...] = ()
    checks: Mapping[CheckId, CheckSpec]

    @property
    def names(self) -> Mapping[ServiceKey, str]:
        """How each service is called."""
        return {service.service.key: service.name for service in self.services}

"""The shape of /api/v1/status.

Times are RFC 3339 in UTC, durations seconds (``_s``), addresses and keys text.  ``null`` means "not known", except
where a field says otherwise.  Fields may be added; ``schema`` grows when one changes its meaning or goes away.
Nothing here can hold a secret: of a check's settings there are only kind, address, port and times.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from lvs_agent.view.words import HealthWord, ServerWord, ServiceWord
from lvs_agent.web.events import EventEntry

SCHEMA = 1


class Persistence(TypedDict):
    """``netmask``: of IPv4 a mask, of IPv6 a prefix length."""

    timeout_s: int
    netmask: str
    engine: str | None


class Weight(TypedDict):
    """``configured``: while the server is up.  ``wanted``: now; null if it should not be in the table.
    ``kernel``: what the table has; null if it has no such row.
    """

    configured: int | None
    wanted: int | None
    kernel: int | None


class Connections(TypedDict):
    """At this moment; ``persistent`` counts persistence templates."""

    active: int
    inactive: int
    persistent: int


class Rates(TypedDict):
    """What the kernel estimates that is forwarded each second, over its last ten seconds or so."""

    connections_per_s: int
    incoming_packets_per_s: int
    outgoing_packets_per_s: int
    incoming_bytes_per_s: int
    outgoing_bytes_per_s: int


class LastCheck(TypedDict):
    """``reason`` is null for a check that passed; ``errored`` means that our own fault kept it from an answer."""

    result: Literal["passed", "failed", "errored"]
    reason: str | None
    detail: str
    ended: str
    duration_s: float


class Check(TypedDict):
    """One check of one real server; ``done`` counts all that ended, ``failed`` and ``errored`` are among them.

    ``last`` is null before the first has ended.
    """

    kind: str
    address: str
    port: int | None
    interval_s: float
    timeout_s: float
    health: HealthWord
    done: int
    failed: int
    errored: int
    last: LastCheck | None


class Row(TypedDict):
    """What every entry of a service has; ``connections`` is null unless the kernel was read now, and ``rates`` unless
    it keeps them besides (``net.ipv4.vs.run_estimation``).

    ``state``: of a real server its health, or ``maintenance`` where the operator has taken it out of service; of a
    sorry server ``active`` or ``standby``; ``foreign`` of what nobody configured here.
    """

    name: str
    address: str
    port: int
    forwarding: str
    state: ServerWord
    weight: Weight
    connections: Connections | None
    rates: Rates | None


class RealServer(Row):
    """``since``: when ``health`` became what it is.  ``membership``: why it has its desired weight."""

    health: HealthWord
    since: str | None
    membership: str | None
    checks: list[Check]


class SorryServer(Row):
    """``active``: the service has failed over to it, because no real server has a weight above 0."""

    active: bool


class ServiceRow(TypedDict):
    """What every service has; ``key`` is ``tcp/192.0.2.1:80`` or ``fwm/5/inet``.

    ``state``: ``up`` where the quorum is reached, ``unknown`` while real servers that are not decided yet may still
    make it up, ``down`` where no real server is up or undecided, else ``below_quorum``; ``foreign`` where it is not
    configured here.
    ``connections`` are those of all its rows; null unless the kernel was read now.
    """

    name: str
    key: str
    scheduler: str
    flags: list[str]
    persistence: Persistence | None
    state: ServiceWord
    connections: Connections | None
    rates: Rates | None


class Service(ServiceRow):
    """A configured service.  ``up`` counts its real servers that are up and not in maintenance, as its last round found
    them; ``quorum_reached`` is false while that is not known.  ``unexpected`` are rows that nobody configured.
    ``comment`` is the operator's, empty where there is none.
    """

    comment: str
    in_kernel: bool | None
    quorum: int
    quorum_reached: bool
    up: int
    real_servers: list[RealServer]
    sorry_server: SorryServer | None
    unexpected: list[Row]


class ForeignService(ServiceRow):
    """A service in the table that is somebody else's."""

    destinations: list[Row]


class Config(TypedDict):
    """The configuration in force; ``problems`` are those of a newer one that could not be used."""

    path: str
    digest: str
    loaded: str
    last_reload_ok: bool
    problems: list[str]
    warnings: list[str]


class Agent(TypedDict):
    """``writes`` false: it only observes.  ``missing`` says in words what keeps ``ready`` from being true."""

    version: str
    started: str
    writes: bool
    ready: bool
    missing: list[str]
    checks_in_flight: int
    checks_pending: int
    config: Config


class Drift(TypedDict):
    """A row that somebody else had changed at the last comparison; ``real_server`` null: the service's own."""

    kind: str
    virtual_service: str
    real_server: str | None


class Reconcile(TypedDict):
    """``repairs`` counts all drift repaired since the start; ``pending`` is what remains to be
    done, with the keys that the log has.
    """

    rounds: int
    errors: int
    last_success: str | None
    last_error: str
    drift: list[Drift]
    repairs: int
    pending: list[dict[str, str | int]]


class StatusDocument(TypedDict):
    """The whole answer.  ``kernel_read`` false: the kernel did not answer now, and rows are those of the last round.
    ``recent``: what last changed whom clients reach, newest last.
    """

    schema: int
    taken: str
    kernel_read: bool
    agent: Agent
    reconcile: Reconcile
    services: list[Service]
    foreign_services: list[ForeignService]
    recent: list[EventEntry]

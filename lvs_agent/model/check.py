"""A check, and the results that a probe can have.

All types are plain picklable data, so that checks may run in other processes.

A *check* is a configured test with its timing, a *probe* is one run of it, and a *result* is the outcome of a probe:
passed, failed (the server's fault) or errored (a local error, which never changes the health of a server).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, NewType

from lvs_agent.model.ipvs import DestinationKey, IPAddress, ServiceKey

CheckId = NewType("CheckId", str)
"""Hash of everything that can affect the results and the schedule of a check: equal ids are the same check."""


class FailureReason(Enum):
    """Why a server failed its check.  A metric label, so this set is closed."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    READ_TIMEOUT = "read_timeout"
    TLS = "tls"
    DNS = "dns"
    STATUS = "status"
    CONTENT = "content"
    PROTOCOL = "protocol"
    EXEC = "exec"
    INTERNAL = "internal"


class ErrorReason(Enum):
    """The local error that kept a probe from a reliable result.  A metric label, so this set is closed."""

    NO_DESCRIPTORS = "no_descriptors"
    NO_MEMORY = "no_memory"
    NO_ROUTE = "no_route"
    NO_SOURCE_ADDRESS = "no_source_address"
    NOT_PERMITTED = "not_permitted"
    RESOLVER = "resolver"
    FILE_MISSING = "file_missing"
    BUSY = "busy"
    LATE = "late"
    INTERNAL = "internal"


class Disconnection(Enum):
    """How a server ended a connection instead of answering."""

    CLOSED = "closed"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """The facts that decided a result over HTTP, for programs; the result's ``detail`` has the same for people.

    ``status``: the status code that was checked.  ``phrase``: the server's reason phrase, if it is not the registered
    one; printable.  ``disconnection``: how the server ended the connection instead of answering.
    """

    status: int | None = None
    phrase: str = ""
    disconnection: Disconnection | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """The server passed.  ``certificate_not_after``: seconds since 1970, if the probe used TLS.
    ``weight_percent``: percent of its weight that the server requests (0 to 1,000; 0: no new connections).
    ``http``: None unless one HTTP response decided.
    """

    detail: str = ""
    certificate_not_after: float | None = None
    weight_percent: int | None = None
    http: HttpFacts | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The server failed.  ``detail`` is one line for a person, without secrets.

    ``http``: None unless one HTTP exchange decided.
    """

    reason: FailureReason
    detail: str = ""
    certificate_not_after: float | None = None
    http: HttpFacts | None = None


@dataclass(frozen=True, slots=True)
class Errored:
    """The probe has no result about the server, because of an error of this program or host."""

    reason: ErrorReason
    detail: str = ""


CheckResult = Passed | Failed | Errored


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The target of a probe.

    ``settings`` is the checker's own frozen settings model.  ``port`` is None for a protocol without ports (ping).
    ``service`` and ``server`` are those for which the check runs; they are None unless the checker needs them,
    because all services share a check that does not need them.
    """

    address: IPAddress
    port: int | None
    settings: Any
    service: ServiceKey | None = None
    server: DestinationKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """One configured check.  Times in seconds.  ``down_interval_s`` is used while the check is down, and
    ``fast_interval_s`` while its last result contradicts its health.

    ``rise`` successes in a row bring it up, ``fall`` failures in a row take it down (both 1 and up).
    ``timeout_s`` is the time from the start of a probe to its result.  ``connects_between``: number of probes that only
    open a TCP connection between two complete probes.  ``gives_weight``: its results may request a share of the
    server's weight.
    """

    id: CheckId
    kind: str
    target: Target
    interval_s: float
    down_interval_s: float
    timeout_s: float
    rise: int
    fall: int
    connects_between: int = 0
    fast_interval_s: float | None = None
    gives_weight: bool = False


class CheckReport(NamedTuple):
    """One finished probe: which check, its result, when it ended (seconds since 1970), how long it took, and how
    late it started (both seconds).  ``is_final``: the check does not run again, because its result cannot change.
    """

    check: CheckId
    result: CheckResult
    ended_at: float
    duration_s: float
    delay_s: float
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What runs and what waits in a check engine now.

    ``in_flight``: probes that run.  ``pending``: probes that are due but not started; more than a few mean overload.
    ``threads``, ``threads_queued``: blocking checks in a thread, and those that wait for one; ``thread_oldest_s``:
    seconds since the oldest thread was started (0 without any).  ``commands``, ``commands_queued``: commands that run,
    and those that wait for a slot.
    """

    in_flight: int = 0
    pending: int = 0
    threads: int = 0
    threads_queued: int = 0
    thread_oldest_s: float = 0.0
    commands: int = 0
    commands_queued: int = 0

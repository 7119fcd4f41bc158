"""What a check is, and what the result of one run can be.

Plain picklable data, whatever has run: checks may run in other processes.

A *check* is a configured test with its timing, a *probe* one run of it, a *result* the outcome of a probe: passed,
failed (the server's fault) or errored (our own fault, which never changes a server's state).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, NewType

from lvs_agent.model.ipvs import DestinationKey, IPAddress, ServiceKey

CheckId = NewType("CheckId", str)
"""Hash of everything that can affect a check's results and its schedule: equal ids are one and the same check."""


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
    """Why a probe could not be made, or could not be trusted: our own fault.  A metric label, so this set is closed."""

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
    """How a server ended a connection on which it was to answer."""

    CLOSED = "closed"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """What decided a result over HTTP, for programs; the result's ``detail`` says the same to people.

    ``status``: the one that was judged.  ``phrase``: what the server calls it, where that is not the registered phrase;
    printable.  ``disconnection``: how the server ended the connection instead of answering.
    """

    status: int | None = None
    phrase: str = ""
    disconnection: Disconnection | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """The server did what was asked.  ``certificate_not_after``: seconds since 1970, where TLS was spoken.
    ``weight_percent``: how much of its weight the server asks for (0 to 1,000; 0: no new connections).
    ``http``: None unless one answer over HTTP decided.
    """

    detail: str = ""
    certificate_not_after: float | None = None
    weight_percent: int | None = None
    http: HttpFacts | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The server did not do what was asked.  ``detail`` is one line for a person, without secrets.

    ``http``: None unless one exchange over HTTP decided.
    """

    reason: FailureReason
    detail: str = ""
    certificate_not_after: float | None = None
    http: HttpFacts | None = None


@dataclass(frozen=True, slots=True)
class Errored:
    """The probe says nothing about the server, because of an error of this program or host."""

    reason: ErrorReason
    detail: str = ""


CheckResult = Passed | Failed | Errored


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a probe is pointed at.

    ``settings`` is the checker's own frozen settings model.  ``port`` is None where nothing has ports (ping).
    ``service`` and ``server`` say on whose behalf the check runs; they are None unless the checker asks for them,
    because a check that does not need to know is shared by every service that wants the same.
    """

    address: IPAddress
    port: int | None
    settings: Any
    service: ServiceKey | None = None
    server: DestinationKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """One configured check.  Times in seconds; ``down_interval_s`` holds while the check says down, and
    ``fast_interval_s`` while its last result speaks against what it says.

    ``rise`` successes in a row bring it up, ``fall`` failures in a row take it down (both 1 and up).
    ``timeout_s`` is the whole time that a probe has from its start to its result.  ``connects_between``: so many probes
    only open a TCP connection before the next one does all of it.  ``gives_weight``: its results may ask for a share of
    the server's weight.
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

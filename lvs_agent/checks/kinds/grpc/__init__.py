"""gRPC health check (grpc.health.v1); the service must be SERVING."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import Annotated, ClassVar
from urllib.parse import unquote

from pydantic import AfterValidator, Field

from lvs_agent import __version__
from lvs_agent.checks.kinds.grpc import health as grpc_health
from lvs_agent.checks.kinds.grpc.health import Code, ServingStatus
from lvs_agent.checks.kinds.http import exchange as http_exchange
from lvs_agent.checks.kinds.http.exchange import Prepare
from lvs_agent.checks.kinds.http.response import ProtocolViolation
from lvs_agent.checks.kinds.http.settings import Host
from lvs_agent.checks.kinds.http.tls import HTTP_2, over_tls
from lvs_agent.checks.kinds.http2 import exchange as http2_exchange
from lvs_agent.checks.kinds.http2.exchange import Http2Reader, Request
from lvs_agent.checks.net.connection import Connection, endpoint_of
from lvs_agent.checks.net.dialogue import printable
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.model.ipvs import address_and_port
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Secret

INLINE = True

EXAMPLE = """
[virtual_service.check]
type = "grpc"
port = 50051
service = "shop.Orders"
tls = { ca_file = "/etc/ssl/own-ca.pem" }
metadata = { x-check = "lvs" }
"""
PASSES = "The server reports SERVING for the service."
FAILS = {
    FailureReason.STATUS: "it reports NOT_SERVING, or refuses the call; UNIMPLEMENTED: it has no health service,"
    " NOT_FOUND: its health service does not know this service",
    FailureReason.PROTOCOL: "the server does not speak HTTP/2 or gRPC, breaks the protocol, or closes the connection",
    FailureReason.TLS: "with a tls table: the handshake fails, or the certificate is not accepted",
}
SEEN = "A connection with one call of /grpc.health.v1.Health/Check and `user-agent: lvs-agent/VERSION`."

_BODY_LIMIT = 4_096
_KEY = re.compile(r"[0-9a-z_.-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
_RESERVED = frozenset(
    {"te", "content-type", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)


def _metadata(value: dict[str, Secret]) -> dict[str, Secret]:
    for name, secret in value.items():
        if not _KEY.fullmatch(name) or name.startswith("grpc-") or name in _RESERVED:
            raise ValueError(
                f"{name!r} is not allowed in metadata: a name has lower-case letters, digits, '_', '-' and '.', and is"
                " not one that gRPC or HTTP/2 uses"
            )
        if name.endswith("-bin"):
            raise ValueError(f"binary metadata ({name}) cannot be sent")
        if not _VALUE.fullmatch(secret.get_secret_value()):
            raise ValueError(f"the value of {name} must be one line of ASCII text")
    return value


class Settings(CheckSettings):
    """Keys of a check with ``type = "grpc"``."""

    libraries: ClassVar[tuple[str, ...]] = http2_exchange.LIBRARIES
    default_port: ClassVar[int | None] = None

    service: str = ""
    """Service to ask about, as the server names it to its health service.  Empty: the server as a whole."""
    virtual_host: Host | None = None
    """Authority (the Host header of HTTP/2).  Without it, the address and port that are checked."""
    metadata: Annotated[dict[str, Secret], AfterValidator(_metadata)] = Field(default_factory=dict)
    """Metadata to send, such as an authorization.  Values are never printed."""
    tls: TlsSettings | None = None
    """Settings of TLS and of the certificate's verification; an empty table is enough.  Without the table
    there is no TLS."""


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One call over a new connection."""
    settings: Settings = target.settings

    def check(prepare: Prepare | None) -> Coroutine[object, None, CheckResult]:
        return _call(target, run, settings, prepare)

    if settings.tls is None:
        return await check(None)
    return await over_tls(check, target=target, tls=settings.tls, virtual_host=settings.virtual_host, version=HTTP_2)


async def _call(target: Target, run: ProbeRun, settings: Settings, prepare: Prepare | None) -> CheckResult:
    try:
        with Connection(run.cached(endpoint_of, target.address, target.port or 0), run) as connection:
            if prepare is not None:
                await prepare(connection)
            response = await http2_exchange.exchange(
                connection, _request(target, settings), body_limit=_BODY_LIMIT, progress=run.progress
            )
        return judge(response)
    except (ProtocolViolation, OSError) as problem:
        return http_exchange.failure(problem)


def _request(target: Target, settings: Settings) -> Request:
    headers = {"te": "trailers", "content-type": "application/grpc", "user-agent": f"lvs-agent/{__version__}"}
    headers |= {name: secret.get_secret_value() for name, secret in settings.metadata.items()}
    return Request(
        method="POST",
        scheme="http" if settings.tls is None else "https",
        authority=settings.virtual_host or address_and_port(target.address, target.port or 0),
        path=grpc_health.PATH,
        headers=tuple(headers.items()),
        body=grpc_health.request(settings.service),
    )


def judge(response: Http2Reader) -> Passed | Failed:
    """Whether this is a healthy server's answer.  Raises ProtocolViolation."""
    if response.status != 200:
        return Failed(FailureReason.STATUS, f"HTTP status {response.status}")
    if not (response.header("content-type") or "").startswith("application/grpc"):
        raise ProtocolViolation("the answer is not a gRPC response")
    # an answer without a message has its status in the first headers
    code = grpc_health.code_of(response.trailers.get("grpc-status", response.header("grpc-status")))
    if code is not Code.OK:
        return Failed(FailureReason.STATUS, _words(code, response))
    status = grpc_health.answer(response.body)
    if status is ServingStatus.SERVING:
        return Passed("SERVING")
    return Failed(FailureReason.STATUS, status.name if isinstance(status, ServingStatus) else f"status {status}")


def _words(code: Code | str, response: Http2Reader) -> str:
    name = code.name if isinstance(code, Code) else f"grpc-status {printable(code)}"
    message = response.trailers.get("grpc-message", response.header("grpc-message"))
    return f"{name}: {printable(unquote(message))}" if message else name

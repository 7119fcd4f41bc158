"""A server of gRPC, to be run as ``python grpc_program.py PLAIN_PORT TLS_PORT BARE_PORT CERTIFICATE``.

It says of the service "up" and of itself that they are SERVING, of "down" that it is NOT_SERVING; it wants the metadata
``authorization: Bearer right`` for "guarded".  The bare port is a server without the health service.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


class Guarded(health.HealthServicer):  # type: ignore[misc] # the library has no types
    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the protocol
        wanted = ("authorization", "Bearer right")
        if request.service == "guarded" and wanted not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you? ünknown")
        return super().Check(request, context)


def main() -> None:
    """Serve until the end of the process."""
    plain, tls, bare = sys.argv[1:4]
    pem = Path(sys.argv[4]).read_bytes()
    servicer = Guarded()
    status = health_pb2.HealthCheckResponse
    for service, state in (("up", status.SERVING), ("down", status.NOT_SERVING), ("guarded", status.SERVING)):
        servicer.set(service, state)
    serving = _server(lambda server: health_pb2_grpc.add_HealthServicer_to_server(servicer, server))
    serving.add_insecure_port(f"127.0.0.1:{plain}")
    serving.add_secure_port(f"127.0.0.1:{tls}", grpc.ssl_server_credentials([(pem, pem)]))
    other = _server(lambda _: None)
    other.add_insecure_port(f"127.0.0.1:{bare}")
    other.start()
    serving.start()
    serving.wait_for_termination()


def _server(extend: Callable[[Any], None]) -> Any:
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    extend(server)
    return server


if __name__ == "__main__":
    main()

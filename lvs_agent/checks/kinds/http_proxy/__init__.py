"""Request through the forward proxy that is checked; status and body of the answer must be as configured."""

from __future__ import annotations

from lvs_agent.checks.kinds.http_proxy.settings import Settings
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, FailureReason, Target

EXAMPLE = """
[virtual_service.check]
type = "http_proxy"
url = "https://www.example.com/health"
user = "monitor"
password_file = "/etc/lvs-agent/proxy-password"
body_contains = "ready"
"""
PASSES = (
    "The answer through the proxy has one of the statuses in status, and its body passes its tests.  For an https"
    " URL the certificate of the server behind the proxy is trusted, valid now and made for the name in the URL."
)
FAILS = {
    FailureReason.STATUS: "another status from the server or the proxy (407: credentials, 503: the proxy cannot reach"
    " the server), or the proxy refuses the tunnel",
    FailureReason.CONTENT: "the body lacks the text, does not match the expression, or has another SHA-256",
    FailureReason.TLS: "through the tunnel: the handshake fails, or the certificate is not accepted",
    FailureReason.PROTOCOL: "no HTTP response, a malformed one, or the proxy closes the connection",
}
SEEN = (
    "The proxy: a request for the absolute URL, or CONNECT, from the director.  The server behind it: a request with"
    " `User-Agent: lvs-agent/VERSION` from the proxy."
)

__all__ = ["EXAMPLE", "FAILS", "PASSES", "SEEN", "Settings", "probe"]


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One request over a new connection to the proxy."""
    from lvs_agent.checks.kinds.http_proxy.session import examine  # noqa: PLC0415 - only agents with this check need it

    return await examine(target, run)

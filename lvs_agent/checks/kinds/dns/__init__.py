"""DNS query; the response code and an answer must be as configured.

The query goes out over UDP, without EDNS, and once more over TCP where the answer says that it is truncated.  Only what
has the query's id and question counts as its answer; everything else is ignored, and reported when time runs out.
"""

from __future__ import annotations

from lvs_agent.checks.kinds.dns.settings import Settings
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, FailureReason, Target

EXAMPLE = """
[virtual_service.check]
type = "dns"
query = "www.example.com"
record_type = "AAAA"
answer_regex = "^2001:db8:"
"""
PASSES = (
    "The response code is the one in rcode; with NOERROR there is also a record of the type, and answer_regex matches"
    " one if it is set."
)
FAILS = {
    FailureReason.REFUSED: "the port is closed",
    FailureReason.STATUS: "another response code, such as SERVFAIL",
    FailureReason.CONTENT: "no record of that type, or none that answer_regex matches",
    FailureReason.PROTOCOL: "over TCP: the answer is not a DNS message, or belongs to another query",
    FailureReason.READ_TIMEOUT: "no answer, or only answers with another id or question",
}
SEEN = "One query from the director's address, if queries are logged."

__all__ = ["EXAMPLE", "FAILS", "PASSES", "SEEN", "Settings", "probe"]


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One query and its answer."""
    from lvs_agent.checks.kinds.dns.exchange import check  # noqa: PLC0415 - as above

    return await check(target, run, target.settings)

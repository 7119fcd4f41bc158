"""DNS query; the response code and an answer must be as wanted.

The query goes out over UDP, without EDNS, and once more over TCP where the answer says that it is truncated.  Only what
has the query's id and question counts as its answer; everything else is passed over, and told when time runs out.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, model_validator

from lvs_agent.checks.fields import Line, Regex
from lvs_agent.checks.settings import CheckSettings
from lvs_agent.model.check import CheckResult, FailureReason, Target

EXAMPLE = """
[virtual_service.check]
type = "dns"
query = "www.example.com"
record_type = "AAAA"
answer_regex = "^2001:db8:"
"""
PASSES = "the response code is the wanted one, and with NOERROR there is a record (that answer_regex matches)"
FAILS = {
    FailureReason.REFUSED: "nobody listens on the port",
    FailureReason.STATUS: "another response code, such as SERVFAIL",
    FailureReason.CONTENT: "no record of the wanted type, or none that answer_regex matches",
    FailureReason.PROTOCOL: "over TCP: what comes is no DNS message, or none that answers the query",
    FailureReason.READ_TIMEOUT: "no answer, or only such as have another id or question",
}
SEEN = "one query from the director's address, where queries are logged"


def _name(value: str) -> str:
    from lvs_agent.checks.sessions.dns_message import name_of  # noqa: PLC0415 - heavy, not every agent needs it

    name_of(value, record_type="PTR")
    return value


class Settings(CheckSettings):
    """Keys of a check with ``type = "dns"``."""

    libraries: ClassVar[tuple[str, ...]] = ("lvs_agent.checks.sessions.dns_exchange",)
    default_port: ClassVar[int | None] = 53

    query: Annotated[Line, AfterValidator(_name)]
    """What is asked for.  With record_type = "PTR" an address will do."""
    record_type: Literal["A", "AAAA", "PTR", "NS", "SOA", "MX", "TXT", "CNAME", "SRV"] = "A"
    """Type of the record that is asked for."""
    answer_regex: Regex | None = None
    """Regular expression (Python's) that must match somewhere in one of the records, behind all aliases.  A record is
    written as in a zone file, such as "10 mail.example.com" of MX; names have no dot at their end, TXT no quotes."""
    rcode: Literal["NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "NOTIMP", "NOTAUTH", "FORMERR"] = "NOERROR"
    """The response code that passes; with another one than "NOERROR", records do not count."""
    transport: Literal["udp", "tcp"] = "udp"
    """"udp" (with TCP for an answer that is truncated) or "tcp"."""
    recursion_desired: bool = True
    """Whether the server is asked to find out what it does not know; false for a server that only has its own zones."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        from lvs_agent.checks.sessions.dns_message import name_of  # noqa: PLC0415 - as above

        name_of(self.query, record_type=self.record_type)
        if self.answer_regex is not None and self.rcode != "NOERROR":
            raise ValueError("answer_regex needs answers, which there are only with rcode = NOERROR")
        return self

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """``answer_regex`` compiled."""
        return None if self.answer_regex is None else re.compile(self.answer_regex)


async def probe(target: Target) -> CheckResult:
    """One query and its answer."""
    from lvs_agent.checks.sessions.dns_exchange import check  # noqa: PLC0415 - as above

    return await check(target, target.settings)

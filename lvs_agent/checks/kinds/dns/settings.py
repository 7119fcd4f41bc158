"""The TOML keys of a ``dns`` check."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, model_validator

from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Line, Regex


def _name(value: str) -> str:
    from lvs_agent.checks.kinds.dns.message import name_of  # noqa: PLC0415 - heavy, not every agent needs it

    name_of(value, record_type="PTR")
    return value


class Settings(CheckSettings):
    """Keys of a check with ``type = "dns"``."""

    libraries: ClassVar[tuple[str, ...]] = ("lvs_agent.checks.kinds.dns.exchange",)
    default_port: ClassVar[int | None] = 53

    query: Annotated[Line, AfterValidator(_name)]
    """Name to query.  With record_type = "PTR" it may be an IP address."""
    record_type: Literal["A", "AAAA", "PTR", "NS", "SOA", "MX", "TXT", "CNAME", "SRV"] = "A"
    """Type of the record to query."""
    answer_regex: Regex | None = None
    """Regular expression (Python's) that must match somewhere in one of the records, after aliases (CNAME) are
    followed.  A record is written as in a zone file, such as "10 mail.example.com" for MX, but without the dot at the
    end of names and without the quotes of TXT."""
    rcode: Literal["NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "NOTIMP", "NOTAUTH", "FORMERR"] = "NOERROR"
    """The response code that passes.  If it is not "NOERROR", the records are not looked at."""
    transport: Literal["udp", "tcp"] = "udp"
    """"udp" (and TCP if the answer is truncated) or "tcp"."""
    recursion_desired: bool = True
    """Whether the query asks for recursion (RD flag); set false for a server that only answers for its own zones."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        from lvs_agent.checks.kinds.dns.message import name_of  # noqa: PLC0415 - as above

        name_of(self.query, record_type=self.record_type)
        if self.answer_regex is not None and self.rcode != "NOERROR":
            raise ValueError('answer_regex needs rcode = "NOERROR"')
        return self

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """``answer_regex`` compiled."""
        return None if self.answer_regex is None else re.compile(self.answer_regex)

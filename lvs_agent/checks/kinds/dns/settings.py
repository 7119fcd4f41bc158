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
    """The name that is asked for.  With record_type = "PTR" an address will do."""
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
    """Whether the server is asked to resolve names of other servers; false for a server that only has its own zones."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        from lvs_agent.checks.kinds.dns.message import name_of  # noqa: PLC0415 - as above

        name_of(self.query, record_type=self.record_type)
        if self.answer_regex is not None and self.rcode != "NOERROR":
            raise ValueError("answer_regex needs answers, which there are only with rcode = NOERROR")
        return self

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """``answer_regex`` compiled."""
        return None if self.answer_regex is None else re.compile(self.answer_regex)

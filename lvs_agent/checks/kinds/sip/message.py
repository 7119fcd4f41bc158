"""SIP messages of the sip check (RFC 3261): pure, nothing is sent here."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from lvs_agent import __version__

_MAGIC = "z9hG4bK"
"""Every branch begins with it (RFC 3261, 8.1.1.7)."""
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6]\d\d) ?(.*)")
_BRANCH = re.compile(r";\s*branch\s*=\s*([^\s;,]+)", re.IGNORECASE)
_COMPACT: Mapping[str, str] = MappingProxyType({"v": "via", "i": "call-id", "l": "content-length"})
"""The short forms (RFC 3261, 7.3.3) of the headers that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One OPTIONS request, with a branch, tag, Call-ID and number of its own.

    ``uri``: the user or server that it is for.  ``transport``: UDP, TCP or TLS.  ``host``: our own address, as in a
    URI; ``port``: our own.
    """

    uri: str
    transport: str
    host: str
    port: int
    branch: str
    tag: str
    call_id: str
    number: int

    def __str__(self) -> str:
        own = f"sip:lvs-agent@{self.host}"
        parameter = "" if self.transport == "UDP" else ";transport=tcp"
        lines = (
            f"OPTIONS {self.uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {self.host}:{self.port};branch={self.branch};rport",
            "Max-Forwards: 70",
            f"From: <{own}>;tag={self.tag}",
            f"To: <{self.uri}>",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.number} OPTIONS",
            f"Contact: <{own}:{self.port}{parameter}>",
            "Accept: application/sdp",
            f"User-Agent: lvs-agent/{__version__}",
            "Content-Length: 0",
        )
        return "".join(f"{line}\r\n" for line in (*lines, ""))


def new_options(*, uri: str, transport: str, host: str, port: int) -> Options:
    """A request with new identifiers."""
    return Options(
        uri=uri, transport=transport, host=host, port=port, branch=_MAGIC + secrets.token_hex(12),
        tag=secrets.token_hex(8), call_id=f"{secrets.token_hex(12)}@{host}", number=1 + secrets.randbelow(2**31 - 1),
    )  # fmt: skip


class Response(NamedTuple):
    """The head of a response.  ``headers``: the first of each name, in small letters."""

    status: int
    phrase: str
    headers: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.status} {self.phrase}".rstrip()

    @property
    def body_length(self) -> int | None:
        """Bytes behind the head over a connection; None where that is not said as a number."""
        text = self.headers.get("content-length", "0")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else None


def parse(datagram: bytes) -> Response | None:
    """The response that a datagram is, or None."""
    text = datagram.decode("utf-8", "replace").lstrip("\r\n")
    return parse_head(re.split(r"\r?\n", text.partition("\r\n\r\n")[0]))


def parse_head(lines: Sequence[str]) -> Response | None:
    """The response with these lines, without the empty one behind them; None where it is none."""
    first = _STATUS_LINE.fullmatch(lines[0]) if lines else None
    if first is None:
        return None
    headers: dict[str, str] = {}
    for line in _unfolded(lines[1:]):
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers.setdefault(_COMPACT.get(name, name), value.strip())
    return Response(int(first[1]), first[2].strip(), headers)


def answers(response: Response, options: Options) -> bool:
    """Whether ``response`` belongs to the request: the branch of the first Via and the method (RFC 3261, 17.1.3)."""
    branch = _BRANCH.search(response.headers.get("via", "").partition(",")[0])
    sequence = response.headers.get("cseq", "").split()
    return branch is not None and branch[1] == options.branch and sequence == [str(options.number), "OPTIONS"]


def _unfolded(lines: Sequence[str]) -> Iterator[str]:
    """Each header as one line; one that begins with a blank goes on with the line before (RFC 3261, 7.3.1)."""
    whole = ""
    for line in lines:
        if line[:1] in (" ", "\t"):
            whole += " " + line.strip()
            continue
        if whole:
            yield whole
        whole = line
    if whole:
        yield whole

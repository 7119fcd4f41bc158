"""The TOML keys that the checks of HTTP share, with everything that can be computed from them once."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lvs_agent import __version__
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Regex, Secret, Size

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_STATUS_RANGE = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "expect"})
_NEEDS_LENGTH = frozenset({"POST", "PUT", "PATCH"})


def _method(value: str) -> str:
    if not _TOKEN.fullmatch(value) or value.upper() == "CONNECT":
        raise ValueError('must be a request method, like "GET" or "HEAD"')
    return value


def _path(value: str) -> str:
    if not value.startswith("/") or not _VISIBLE.fullmatch(value) or "#" in value:
        raise ValueError('must be a path that starts with "/", without spaces (write them as %20) and without "#"')
    return value


def _paths(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError('must be a host name, like "www.example.com" or "www.example.com:8080"')
    return value


def _headers(value: dict[str, Secret]) -> dict[str, Secret]:
    for name, secret in value.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if not _HEADER_VALUE.fullmatch(secret.get_secret_value()):
            raise ValueError(f"the value of {name} must be one line of Latin-1 text")
        if name.lower() in _OURS:
            raise ValueError("use virtual_host for Host" if name.lower() == "host" else f"{name} is set by the check")
    return value


def _digest(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise ValueError("must be the 64 hexadecimal digits of a SHA-256")
    return value.lower()


def _statuses(value: object) -> object:
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        raise ValueError("must have at least one status")
    for item in items:
        _status_range(item)
    return tuple(items)


def _status_range(item: object) -> range:
    match = _STATUS_RANGE.fullmatch(str(item)) if isinstance(item, int | str) and not isinstance(item, bool) else None
    if match is None:
        raise ValueError('must be a status like 200, or a range like "200-299"')
    low, high = int(match[1]), int(match[2] or match[1])
    if low > high:
        raise ValueError(f'"{item}" is an empty range')
    return range(low, high + 1)


Host = Annotated[str, AfterValidator(_host)]
"""A host name or address as in a URL, with a port or without."""

UrlPath = Annotated[str, AfterValidator(_path)]
"""Path and query of a URL."""


class AnswerSettings(CheckSettings):
    """Keys for the request and for the answer that passes."""

    method: Annotated[str, AfterValidator(_method)] = "GET"
    """Request method.  The request never has a body."""
    headers: Annotated[dict[str, Secret], AfterValidator(_headers)] = Field(default_factory=dict)
    """Additional request headers; User-Agent and Accept can be replaced.  Values are never printed."""
    status: Annotated[
        tuple[int | str, ...], BeforeValidator(_statuses, json_schema_input_type=list[int | str] | int | str)
    ] = ("200-299",)
    """Statuses that pass: numbers, and ranges like "200-299"."""
    body_contains: Annotated[str, Field(min_length=1)] | None = None
    """Text that the body must contain (compared as UTF-8)."""
    body_regex: Regex | None = None
    """Regular expression (Python's) that must match somewhere in the body, decoded as UTF-8.  It sees body_limit bytes
    at most.  Avoid nested repeats such as (a+)+: such an expression can take very long and delays all other checks."""
    body_sha256: Annotated[str, AfterValidator(_digest)] | None = None
    """SHA-256 that the whole body must have, in hexadecimal digits.  A body longer than body_limit fails."""
    body_limit: Annotated[Size, Field(ge=1, le=1_048_576)] = 65_536
    """Maximum part of the body that is read and that the tests above see; at most 1MiB."""

    @model_validator(mode="after")
    def _head_has_no_body(self) -> Self:
        if self.method == "HEAD" and self.wants_body:
            raise ValueError("body_contains, body_regex and body_sha256 need a method other than HEAD")
        return self

    @property
    def wants_body(self) -> bool:
        """Whether the body is tested."""
        return any(test is not None for test in (self.body_contains, self.body_regex, self.body_sha256))

    @cached_property
    def accepted(self) -> frozenset[int]:
        """Every status that passes."""
        return frozenset(code for item in self.status for code in _status_range(item))

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """``body_regex`` compiled."""
        return None if self.body_regex is None else re.compile(self.body_regex)

    @cached_property
    def read_limit(self) -> int:
        """Bytes of the body to read; one more than body_limit shows that the body is longer."""
        if self.body_sha256 is not None:
            return self.body_limit + 1
        return self.body_limit if self.wants_body else 0

    @cached_property
    def sent_headers(self) -> dict[str, str]:
        """The headers apart from those of the connection: ours, unless they are replaced, and ``headers``."""
        replaced = {name.lower() for name in self.headers}
        ours = {"User-Agent": f"lvs-agent/{__version__}", "Accept": "*/*"}
        lines = {name: text for name, text in ours.items() if name.lower() not in replaced}
        return lines | {name: secret.get_secret_value() for name, secret in self.headers.items()}

    @property
    def states_length(self) -> bool:
        """Whether a request with this method says that its body is empty (RFC 9110, 8.6)."""
        return self.method in _NEEDS_LENGTH


class HttpSettings(AnswerSettings):
    """Keys of a check that asks the real server directly."""

    default_port: ClassVar[int | None] = 80

    path: UrlPath = "/"
    """Path and query to request."""
    paths: (
        Annotated[
            tuple[UrlPath, ...],
            Field(min_length=1, max_length=32),
            BeforeValidator(_paths, json_schema_input_type=list[str]),
        ]
        | None
    ) = None
    """Several paths, instead of path.  They are requested one after the other, each over a connection of its own.
    Every answer must pass, all of them within one timeout."""
    virtual_host: Host | None = None
    """The Host header.  Without it, the address and port that are checked."""
    follow_redirects: Annotated[int, Field(ge=0, le=10)] = 0
    """Maximum number of redirects to follow if the status does not pass.  The connection always goes to the checked
    address, whatever name the redirect gives (it becomes the Host header); a port in the redirect is used; a redirect
    to another scheme or to another IP address fails."""

    @model_validator(mode="after")
    def _one_or_several_paths(self) -> Self:
        if self.paths is not None and "path" in self.model_fields_set:
            raise ValueError("only one of path and paths can be given")
        return self

    @property
    def scheme(self) -> str:
        """Of the URLs that are asked for."""
        return "http"

    @cached_property
    def fixed_headers(self) -> str:
        """Every header line but Host, and the empty line behind them."""
        lines = self.sent_headers | {"Connection": "close"}
        if self.states_length:
            lines["Content-Length"] = "0"
        return "".join(f"{name}: {text}\r\n" for name, text in lines.items()) + "\r\n"

    def request(self, *, path: str, host: str) -> bytes:
        """The request for ``path``, with ``host`` in its Host header."""
        return f"{self.method} {path} HTTP/1.1\r\nHost: {host}\r\n{self.fixed_headers}".encode("latin-1")

"""SIP OPTIONS request; it must be answered with a status that passes.

Each request has a branch, a tag, a Call-ID and a number of its own, and only the response with the same branch and
number counts.  Provisional responses (1xx) are skipped.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lvs_agent.checks.kinds.sip import message as sip_message
from lvs_agent.checks.kinds.sip.message import Options, Response
from lvs_agent.checks.net.datagram import ask
from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue, converse, printable
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target
from lvs_agent.model.ipvs import address_and_port
from lvs_agent.settings.check import CheckSettings

EXAMPLE = """
[virtual_service.check]
type = "sip"
transport = "tls"
user = "ping@example.com"
status = [200, 404]
tls = { server_name = "sip.example.com" }
"""
PASSES = "A final response with one of the statuses in status."
FAILS = {
    FailureReason.REFUSED: "the port is closed",
    FailureReason.STATUS: "another status, such as 503",
    FailureReason.PROTOCOL: "over TCP and TLS: the answer is not a SIP response, or belongs to another request",
    FailureReason.TLS: "no TLS, or a certificate that is not trusted",
    FailureReason.READ_TIMEOUT: "no answer, or only provisional ones and answers to other requests",
}
SEEN = "An OPTIONS request from lvs-agent at the director's address."

_STATUS_RANGE = re.compile(r"([2-6]\d\d)(?:-([2-6]\d\d))?")
_USER = re.compile(
    r"[A-Za-z0-9_.!~*'()&=+$,;?/%-]{1,128}(?:@(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?)?"
)
_LONGEST_BODY = 65_536
_ANSWER = "an answer"


def _user(value: str) -> str:
    if not _USER.fullmatch(value):
        raise ValueError('must be a SIP user, like "ping" or "ping@example.com"')
    return value


def _statuses(value: object) -> object:
    items = value if isinstance(value, list | tuple) else [value]
    for item in items:
        _range(item)
    return tuple(items)


def _range(item: object) -> range:
    match = _STATUS_RANGE.fullmatch(str(item)) if isinstance(item, int | str) and not isinstance(item, bool) else None
    if match is None or int(match[1]) > int(match[2] or match[1]):
        raise ValueError('must be a final status like 200, or a range like "200-299"')
    return range(int(match[1]), int(match[2] or match[1]) + 1)


class Settings(CheckSettings):
    """Keys of a check with ``type = "sip"``."""

    default_port: ClassVar[int | None] = 5060

    transport: Literal["udp", "tcp", "tls"] = "udp"
    """"udp", "tcp" or "tls"."""
    user: Annotated[str, AfterValidator(_user)] | None = None
    """The user that the request is for: "ping" (at the checked address) or "ping@example.com".  Without it,
    the server."""
    status: Annotated[
        tuple[int | str, ...],
        BeforeValidator(_statuses, json_schema_input_type=list[int | str] | int | str),
        Field(min_length=1),
    ] = (200,)
    """Statuses that pass: numbers, and ranges like "200-299"."""
    tls: TlsSettings | None = None
    """Settings of TLS and of the certificate's verification, with transport = "tls"."""

    @model_validator(mode="after")
    def _tls_fits(self) -> Self:
        if self.tls is not None and self.transport != "tls":
            raise ValueError('tls has no effect without transport = "tls"')
        return self

    @property
    def usual_port(self) -> int | None:
        """5061 for TLS (RFC 3261, 19.1.2)."""
        return 5061 if self.transport == "tls" else self.default_port

    @cached_property
    def accepted(self) -> frozenset[int]:
        """Every status that passes."""
        return frozenset(code for item in self.status for code in _range(item))


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """One OPTIONS request and its final response."""
    settings: Settings = target.settings
    if settings.transport == "udp":
        return await _over_udp(target, run, settings)

    async def talk(dialogue: Dialogue) -> Passed | Failed:
        options = _options(target, settings, *dialogue.own_address)
        await dialogue.send_raw(str(options).encode())
        while (response := await _next(dialogue, options)).status < 200:
            continue
        return _judge(response, settings)

    tls = None if settings.transport == "tcp" else settings.tls or TlsSettings()
    return await converse(target, run, talk, tls=tls)


async def _over_udp(target: Target, run: ProbeRun, settings: Settings) -> CheckResult:
    asked: list[Options] = []

    def question(host: str, port: int) -> bytes:
        asked.append(_options(target, settings, host, port))
        return str(asked[0]).encode()

    def accept(datagram: bytes) -> Response | None:
        response = sip_message.parse(datagram)
        if response is not None and response.status >= 200 and sip_message.answers(response, asked[0]):
            return response
        run.progress.waiting_for = f"{_ANSWER} (there was one {_doubt(response, asked[0])})"
        return None

    try:
        return _judge(await ask(target, run, question, accept), settings)
    except OSError as problem:
        return outcome_of(problem)


async def _next(dialogue: Dialogue, options: Options) -> Response:
    """The next response over a connection, without its body."""
    lines: list[str] = []
    while (line := await dialogue.line(of=_ANSWER)) or not lines:  # RFC 3261, 7.5: empty lines before it do not count
        lines += [line.decode("utf-8", "replace")] if line else []
    response = sip_message.parse_head(lines)
    if response is None or not sip_message.answers(response, options):
        raise CheckFailed(FailureReason.PROTOCOL, f"{_ANSWER} {_doubt(response, options)}")
    if response.status < 200:
        await _pass_over_body(dialogue, response.body_length)
    return response


async def _pass_over_body(dialogue: Dialogue, length: int | None) -> None:
    if length is None or length > _LONGEST_BODY:
        raise CheckFailed(FailureReason.PROTOCOL, f"{_ANSWER} with an invalid Content-Length")
    await dialogue.exactly(length, of=_ANSWER)


def _doubt(response: Response | None, options: Options) -> str:
    """Why this (None: not a response) is not the final response to the request."""
    if response is None:
        return "that is not a SIP response"
    if not sip_message.answers(response, options):
        return "to another request"
    return "that is provisional"


def _options(target: Target, settings: Settings, host: str, port: int) -> Options:
    user = settings.user or ""
    place = address_and_port(target.address, target.port or 0)
    uri = f"sip:{user}" if "@" in user else f"sip:{user}@{place}" if user else f"sip:{place}"
    own = f"[{host}]" if ":" in host else host
    return sip_message.new_options(uri=uri, transport=settings.transport.upper(), host=own, port=port)


def _judge(response: Response, settings: Settings) -> Passed | Failed:
    shown = printable(str(response))
    return Passed(shown) if response.status in settings.accepted else Failed(FailureReason.STATUS, shown)

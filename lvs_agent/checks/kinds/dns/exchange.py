"""The exchange of the dns check: one query over UDP or TCP, and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvs_agent.checks.kinds.dns import message as dns_message
from lvs_agent.checks.kinds.dns.message import Message
from lvs_agent.checks.net.datagram import ask
from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue, converse
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target

if TYPE_CHECKING:
    from lvs_agent.checks.kinds.dns.settings import Settings

_ANSWER = "an answer"

dns_message.know_every_type()


async def check(target: Target, run: ProbeRun, settings: Settings) -> CheckResult:
    """The result of one query; where its answer over UDP is truncated, of the same over TCP."""
    if settings.transport == "tcp":
        return await _over_tcp(target, run, settings)
    try:
        reply = await _over_udp(target, run, settings)
    except OSError as problem:
        return outcome_of(problem)
    if not dns_message.is_truncated(reply):
        return _judge(reply, settings)
    run.progress.restart()
    return await _over_tcp(target, run, settings)


async def _over_udp(target: Target, run: ProbeRun, settings: Settings) -> Message:
    query = _query(settings)

    def accept(datagram: bytes) -> Message | None:
        reply = dns_message.reply_to(query, datagram)
        if isinstance(reply, Message):
            return reply
        run.progress.waiting_for = f"{_ANSWER} (there was one {reply})"
        return None

    return await ask(target, run, query.to_wire(), accept)


async def _over_tcp(target: Target, run: ProbeRun, settings: Settings) -> CheckResult:
    query = _query(settings)

    async def talk(dialogue: Dialogue) -> Passed | Failed:
        await dialogue.send_raw(query.to_wire(prepend_length=True))
        length = int.from_bytes(await dialogue.exactly(2, of=_ANSWER))
        if length > dns_message.LONGEST:
            raise CheckFailed(FailureReason.PROTOCOL, f"{_ANSWER} longer than {dns_message.LONGEST} bytes")
        reply = dns_message.reply_to(query, await dialogue.exactly(length, of=_ANSWER))
        if isinstance(reply, Message):
            return _judge(reply, settings)
        raise CheckFailed(FailureReason.PROTOCOL, f"{_ANSWER} {reply}")

    return await converse(target, run, talk)


def _query(settings: Settings) -> Message:
    return dns_message.query(
        settings.query, record_type=settings.record_type, recursion_desired=settings.recursion_desired
    )


def _judge(reply: Message, settings: Settings) -> Passed | Failed:
    return dns_message.judge(reply, rcode=settings.rcode, record_type=settings.record_type, pattern=settings.pattern)

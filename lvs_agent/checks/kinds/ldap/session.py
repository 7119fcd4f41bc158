"""One LDAP session of a check: bind, search and unbind over a dialogue."""

from __future__ import annotations

from lvs_agent.checks.kinds.ldap import ber
from lvs_agent.checks.kinds.ldap import messages as ldap_messages
from lvs_agent.checks.kinds.ldap.ber import Element, Malformed
from lvs_agent.checks.kinds.ldap.messages import Outcome
from lvs_agent.checks.net.dialogue import CheckFailed, Dialogue, printable
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import FailureReason

MESSAGE_LIMIT = 65_536
"""Longest message that is taken, in bytes."""
_MOST_ANSWERS = 16
"""Messages that a search of one entry may be answered with; references and the like are among them."""


class Session:
    """Requests with their answers.  Every method may raise what a Dialogue's methods raise."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._number = 0

    async def start_tls(self, settings: TlsSettings) -> None:
        """Speak TLS from here on."""
        await self._dialogue.send_raw(ldap_messages.starttls_request(self._next()))
        await self._expect_success(ldap_messages.EXTENDED_RESPONSE, of="StartTLS")
        await self._dialogue.start_tls(settings)

    async def bind(self, *, name: str, password: str) -> None:
        """A simple bind; anonymous with both texts empty."""
        await self._dialogue.send_raw(ldap_messages.bind_request(self._next(), name=name, password=password))
        await self._expect_success(ldap_messages.BIND_RESPONSE, of="bind")

    async def names_at(self, base: str) -> list[str]:
        """The DNs of the entries that a search of ``base`` alone finds."""
        await self._dialogue.send_raw(ldap_messages.search_request(self._next(), base=base))
        names = []
        for _ in range(_MOST_ANSWERS):
            try:
                operation = await self._operation(of="search")
                if operation.tag == ldap_messages.SEARCH_ENTRY:
                    names.append(ldap_messages.name_in(operation))
                elif operation.tag != ldap_messages.SEARCH_REFERENCE:
                    _require(ldap_messages.outcome_in(operation, tag=ldap_messages.SEARCH_DONE), of="search")
                    return names
            except Malformed as problem:
                raise _malformed(problem, of="search") from None
        raise CheckFailed(FailureReason.PROTOCOL, f"search: more than {_MOST_ANSWERS} messages")

    async def unbind(self) -> None:
        """End the session; it has no answer."""
        await self._dialogue.send_raw(ldap_messages.unbind_request(self._next()))

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _expect_success(self, tag: int, *, of: str) -> None:
        """The answer with ``tag`` must come and report success."""
        try:
            outcome = ldap_messages.outcome_in(await self._operation(of=of), tag=tag)
        except Malformed as problem:
            raise _malformed(problem, of=of) from None
        _require(outcome, of=of)

    async def _operation(self, *, of: str) -> Element:
        """The operation of the next message, which must answer the last request.  Raises Malformed too."""
        message = ldap_messages.message_of(await self._element(of=of))
        if message.number == ldap_messages.UNSOLICITED:
            notice = ldap_messages.outcome_in(message.operation, tag=ldap_messages.EXTENDED_RESPONSE)
            raise CheckFailed(FailureReason.STATUS, printable(f"{of}: the server ends the session: {notice}"))
        if message.number != self._number:
            raise Malformed(f"an answer to request {message.number} instead of {self._number}")
        return message.operation

    async def _element(self, *, of: str) -> Element:
        """The next element, read whole.  Raises Malformed too."""
        tag, first = await self._dialogue.exactly(2, of=of)
        if tag != ber.SEQUENCE:  # before more is waited for that may never come
            raise Malformed(f"it begins with 0x{tag:02x}")
        more = ber.length_bytes(first)
        length = int.from_bytes(await self._dialogue.exactly(more, of=of), "big") if more else first
        if length > MESSAGE_LIMIT:
            raise Malformed(f"a message of {length} bytes")
        return Element(tag, await self._dialogue.exactly(length, of=of))


def _require(outcome: Outcome, *, of: str) -> None:
    if outcome.code:
        raise CheckFailed(FailureReason.STATUS, printable(f"{of}: {outcome}"))


def _malformed(problem: Malformed, *, of: str) -> CheckFailed:
    return CheckFailed(FailureReason.PROTOCOL, f"{of}: not an LDAP answer: {problem}")

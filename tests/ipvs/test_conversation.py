"""What a real kernel cannot be made to do on demand: answers that are late, torn, interrupted or not for us."""

from __future__ import annotations

import errno
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.errors import NoSuchEntry, NotPermitted, Unavailable
from lvs_agent.ipvs import wire
from lvs_agent.ipvs.conversation import Conversation

Script = list[Callable[[int], list[bytes]]]
"""For each request, what is answered to its sequence number."""


def message(sequence: int, kind: int = 20, *, flags: int = 0, payload: bytes = b"") -> bytes:
    """One netlink message."""
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload + b"\0" * (-len(payload) % 4)


def done(sequence: int, number: int = 0) -> bytes:
    """The last message of a dump."""
    return message(sequence, wire.NLMSG_DONE, payload=struct.pack("=i", -number))


def refused(sequence: int, number: int) -> bytes:
    """A refusal, or with 0 an acknowledgement."""
    return message(sequence, wire.NLMSG_ERROR, payload=struct.pack("=i", -number) + b"\0" * 16)


@contextmanager
def kernel(*script: Callable[[int], list[bytes]], timeout_s: float = 2.0) -> Iterator[Conversation]:
    """A conversation with something that answers by the script."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def answer() -> None:
        for reply in script:
            request = theirs.recv(65_536)
            for datagram in reply(struct.unpack_from("=I", request, 8)[0]):
                theirs.send(datagram)

    thread = threading.Thread(target=answer)
    thread.start()
    conversation = Conversation(ours, timeout_s=timeout_s)
    yield conversation
    thread.join()
    conversation.close()
    theirs.close()


def dump(conversation: Conversation) -> list[bytes]:
    """Ask for rows."""
    return conversation.dump(family=20, command=4, version=1, attributes=b"", doing="read rows")


def request(conversation: Conversation) -> list[bytes]:
    """Ask for a change."""
    return conversation.request(family=20, command=1, version=1, attributes=b"", doing="change a row")


def test_dump_in_several_datagrams_is_one_answer() -> None:
    """Rows come in the order that they were sent in, whatever the packing."""
    with kernel(
        lambda n: [message(n, payload=b"row1") + message(n, payload=b"row2"), message(n, payload=b"row3"), done(n)]
    ) as conversation:
        assert dump(conversation) == [b"row1", b"row2", b"row3"]


def test_interrupted_dump_is_asked_for_again() -> None:
    """What came before the repetition is thrown away."""
    with kernel(
        lambda n: [message(n, flags=wire.NLM_F_DUMP_INTR, payload=b"half") + done(n)],
        lambda n: [message(n, payload=b"full") + done(n)],
    ) as conversation:
        assert dump(conversation) == [b"full"]


def test_busy_socket_is_asked_again() -> None:
    """A dump that was given up may still be on its way."""
    with kernel(lambda n: [refused(n, errno.EBUSY)], lambda n: [done(n)]) as conversation:
        assert dump(conversation) == []


def test_dump_that_is_always_interrupted_is_given_up() -> None:
    """A table that never stands still is not waited for without end."""
    interrupted = [lambda n: [message(n, wire.NLMSG_DONE, flags=wire.NLM_F_DUMP_INTR)]] * 5
    with kernel(*interrupted) as conversation, pytest.raises(Unavailable) as caught:
        dump(conversation)

    assert caught.value.errno_name == "EINTR"


def test_interrupted_request_is_not_repeated() -> None:
    """It may have been carried out: the next round finds out."""
    with kernel(lambda n: [refused(n, errno.EBUSY)]) as conversation, pytest.raises(Unavailable) as caught:
        request(conversation)

    assert caught.value.errno_name == "ENOBUFS"


def test_late_answers_to_earlier_questions_do_not_count() -> None:
    """Only the current sequence number is listened to."""
    with kernel(
        lambda n: [message(n - 1, payload=b"late"), done(n - 1), message(n, payload=b"true") + done(n)]
    ) as conversation:
        assert dump(conversation) == [b"true"]


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ESRCH, NoSuchEntry), (errno.EPERM, NotPermitted), (errno.ENOENT, NoSuchEntry)]
)
def test_refusal_becomes_its_error(number: int, error: type[Exception]) -> None:
    """In answers to requests and at the end of dumps alike, with what was being done."""
    with kernel(lambda n: [refused(n, number)]) as conversation, pytest.raises(error, match="change a row"):
        request(conversation)
    with kernel(lambda n: [done(n, number)]) as conversation, pytest.raises(error, match="read rows"):
        dump(conversation)


def test_silence_ends_with_the_time_limit() -> None:
    """And says how long was waited."""
    with kernel(lambda _: [], timeout_s=0.05) as conversation, pytest.raises(Unavailable, match=r"0\.05 s") as caught:
        request(conversation)

    assert caught.value.errno_name == "ETIMEDOUT"


def test_torn_message_is_unreadable() -> None:
    """A length beyond the datagram cannot be true."""
    with kernel(lambda n: [message(n, payload=b"rows")[:-2]]) as conversation, pytest.raises(Unavailable) as caught:
        request(conversation)

    assert caught.value.errno_name == "EBADMSG"


@given(st.binary(max_size=100))
def test_garbage_raises_nothing_but_unavailable(datagram: bytes) -> None:
    """Any bytes are either read or refused."""
    with suppress(Unavailable):
        for found in wire.messages(datagram):
            wire.error_number(found.payload)
    with suppress(Unavailable):
        wire.walk(datagram)


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=40), max_size=6))
def test_attributes_walk_back_to_themselves(wanted: dict[int, bytes]) -> None:
    """Padding never leaks into a payload."""
    assert wire.walk(b"".join(wire.attribute(kind, payload) for kind, payload in wanted.items())) == wanted

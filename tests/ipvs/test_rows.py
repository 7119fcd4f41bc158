"""The fast way through the rows of a reading beside the general one, ``decode_destination``: they come to the same."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.errors import Unavailable
from lvs_agent.ipvs import wire
from lvs_agent.ipvs.codec import decode_destination, encode
from lvs_agent.ipvs.rows import DestinationReader, DestinationRow, Heads
from lvs_agent.ipvs.uapi import Dest, Stat, Top
from lvs_agent.model.ipvs import AddDestination, Destination, Family
from tests.builders import destination as destination_of
from tests.builders import destination_key, service_key
from tests.ipvs.strategies import destinations

RECORDED = [
    bytes.fromhex(text)
    for texts in json.loads(Path("tests/data/ipvs/linux-7.2.json").read_text())["destinations"].values()
    for text in texts
]
GENERIC_HEADER = b"\5\1\0\0"
TUNNEL = (Dest.TUN_TYPE, Dest.TUN_PORT, Dest.TUN_FLAGS)
COUNTED = (Dest.ACTIVE_CONNS, Dest.INACT_CONNS, Dest.PERSIST_CONNS, Dest.STATS, Dest.STATS64)
KERNEL_ORDER = (
    *(Dest.ADDR, Dest.PORT, Dest.FWD_METHOD, Dest.WEIGHT),
    *TUNNEL,
    *(Dest.U_THRESH, Dest.L_THRESH, Dest.ACTIVE_CONNS, Dest.INACT_CONNS, Dest.PERSIST_CONNS),
    *(Dest.ADDR_FAMILY, Dest.STATS, Dest.STATS64),
)

Shape = Sequence[tuple[int, bytes]]
"""Attributes with their payloads, in the order of a message."""
Decode = Callable[[bytes], DestinationRow | None]
families = st.sampled_from(Family)


def shape_of(destination: Destination) -> Shape:
    """What a kernel says of a row that has carried nothing so far."""
    request = encode(AddDestination(service_key(), destination)).attributes
    told: dict[int, bytes] = dict.fromkeys(KERNEL_ORDER, b"")
    told.update(wire.walk(wire.walk(request)[Top.DEST]))
    told.update({kind: told[kind] or bytes(size) for kind, size in zip(TUNNEL, (1, 2, 2), strict=True)})
    told.update({kind: bytes(4) for kind in COUNTED[:3]})
    told.update({Dest.STATS: bytes(88), Dest.STATS64: counters_of(0)})
    return [(kind, told[kind]) for kind in KERNEL_ORDER]


def counters_of(seed: int) -> bytes:
    """Ten counters and rates: all 0 or all of any size."""
    draw = random.Random(seed)
    return b"".join(wire.number(kind, draw.randrange(2**64) if seed else 0, 8) for kind in Stat)


def counted_on(shape: Shape, seed: int) -> Shape:
    """The same row with other numbers."""
    draw = random.Random(seed)
    return [
        (kind, draw.randbytes(len(payload)))
        if kind in COUNTED[:4]
        else (kind, counters_of(seed) if kind == Dest.STATS64 and len(payload) == 120 else payload)
        for kind, payload in shape
    ]


def message(shape: Shape) -> bytes:
    """A row as it comes."""
    return GENERIC_HEADER + wire.nested(Top.DEST, *(wire.attribute(*one) for one in shape))


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Rows as kernels write them, and with attributes that stand elsewhere, are missing, new, repeated or misshapen."""
    shape = list(shape_of(draw(destinations())))
    for change in draw(st.lists(st.sampled_from(["move", "drop", "new", "repeat", "resize", "older"]), max_size=2)):
        place, to = (draw(st.integers(0, len(shape) - 1)) for _ in range(2))
        kind, payload = shape[place]
        match change:
            case "move":
                shape.insert(to, shape.pop(place))
            case "drop" if len(shape) > 1:
                del shape[place]
            case "new":
                shape.insert(to, (draw(st.sampled_from([16, 99])), draw(st.binary(max_size=9))))
            case "repeat":
                shape.insert(to, (kind, draw(st.sampled_from([payload, bytes(len(payload))]))))
            case "resize":
                shape[place] = kind, draw(st.sampled_from([payload[:-1], payload + b"\1", payload + bytes(4)]))
            case "older":
                shape = [one for one in shape if one[0] not in TUNNEL]
    return shape


def outcome(decode: Decode, payload: bytes) -> DestinationRow | str | None:
    """What was read, or why nothing could be."""
    try:
        return decode(payload)
    except Unavailable as error:
        return str(error)


def read(last: Heads, payloads: Sequence[bytes], family: Family) -> tuple[list[DestinationRow | str | None], Heads]:
    """One reading, and what the next one knows of it."""
    reader = DestinationReader(last)
    return [outcome(lambda row: reader.read(row, family=family), payload) for payload in payloads], reader.seen


def generally(payloads: Sequence[bytes], family: Family) -> list[DestinationRow | str | None]:
    """The same by the general way."""
    return [outcome(lambda row: decode_destination(row, family=family), payload) for payload in payloads]


def after_itself(payload: bytes, family: Family = Family.INET, *, before: bytes) -> None:
    """``payload`` is read like in the general way when ``before`` stood in the readings before."""
    known = read({}, [before], family)[1]
    found, seen = read(known, [payload], family)

    assert found == generally([payload], family)
    assert read(seen, [payload, before], family)[0] == generally([payload, before], family)


@given(st.lists(shapes(), min_size=1, max_size=4), st.lists(st.integers(0, 3), min_size=1, max_size=4), families)
def test_both_ways_come_to_the_same(rows: list[Shape], seeds: list[int], family: Family) -> None:
    """Reading after reading, with other numbers in each, whatever attributes a row has and wherever they stand."""
    seen: Heads = {}
    for seed in seeds:
        payloads = [message(counted_on(row, seed)) for row in rows]
        found, seen = read(seen, payloads, family)

        assert found == generally(payloads, family)
        assert len(seen) <= len(payloads)


@given(st.sampled_from(RECORDED), st.integers(0, 339), st.integers(0, 255), st.integers(0, 400), families)
def test_damaged_row_is_read_as_in_the_general_way(
    whole: bytes, place: int, value: int, length: int, family: Family
) -> None:
    """A recorded row with a wrong byte, and one cut short, after the sound one was seen."""
    damaged = bytearray(whole)
    damaged[place] = value

    after_itself(bytes(damaged), family, before=whole)
    after_itself(whole[:length], family, before=whole)
    after_itself(whole, family, before=bytes(damaged))


@given(st.binary(max_size=400), families)
def test_garbage_is_read_as_in_the_general_way(payload: bytes, family: Family) -> None:
    """Before a sound row and behind it."""
    after_itself(payload, family, before=RECORDED[0])


def test_recorded_row_is_known_again() -> None:
    """A kernel's row is one that the fast way is for: the next reading has the same destination, not an equal one."""
    first, seen = read({}, RECORDED, Family.INET)
    second, _ = read(seen, RECORDED, Family.INET)

    assert second == first == generally(RECORDED, Family.INET)
    for one, other in zip(first, second, strict=True):
        assert isinstance(one, tuple)
        assert isinstance(other, tuple)
        assert one[0] is other[0]


def test_row_of_a_kernel_without_tunnels_is_known_again() -> None:
    """Linux before 5.2 says nothing of tunnels, and has its numbers behind the rest all the same."""
    older = message([one for one in shape_of(destination_of(address="10.0.1.1")) if one[0] not in TUNNEL])

    assert read({}, [older], Family.INET)[1]


def test_changed_row_is_not_taken_for_the_one_before() -> None:
    """A weight that somebody has set stands in the next reading."""
    before = message(shape_of(destination_of(address="10.0.1.1", weight=1)))
    changed = message(shape_of(destination_of(address="10.0.1.1", weight=2)))
    seen = read({}, [before], Family.INET)[1]
    (row,), _ = read(seen, [changed], Family.INET)

    assert isinstance(row, tuple)
    assert row[0].weight == 2


def test_family_is_told_behind_the_head() -> None:
    """The same bytes of an address are another address in the other family."""
    shape = shape_of(destination_of(address="10.0.1.1"))
    other = [(kind, b"\x0a\0" if kind == Dest.ADDR_FAMILY else payload) for kind, payload in shape]

    after_itself(message(other), before=message(shape))


def test_nothing_is_remembered_for_longer_than_one_reading() -> None:
    """What is gone from the table is gone from memory."""
    rows = [message(shape_of(destination_of(address=f"10.0.1.{number}"))) for number in range(1, 9)]
    seen = read({}, rows, Family.INET)[1]
    fewer = read(seen, rows[:3], Family.INET)[1]

    assert len(seen) == 8
    assert {destination.key for destination in fewer.values()} == {
        destination_key(address=f"10.0.1.{number}") for number in range(1, 4)
    }


def test_numbers_inside_another_attribute_are_not_counted() -> None:
    """An attribute that nobody knows may hold anything, and so may what is behind the destination."""
    shape = shape_of(destination_of(address="10.0.1.1"))
    head, behind = shape[:-6], b"".join(wire.attribute(*one) for one in counted_on(shape[-6:], 1))
    inside = message([*head, (99, behind)])
    beside = message(head) + wire.attribute(99, behind)
    bare = message(head) + behind
    attributes = b"".join(wire.attribute(*one) for one in head) + wire.number(99, 0, 1)[:5] + behind
    unaligned = GENERIC_HEADER + wire.nested(Top.DEST, attributes)[: 4 + len(attributes)]

    for payload in (inside, beside, bare, unaligned):
        after_itself(payload, before=payload)
        assert not read({}, [payload], Family.INET)[1]


def test_row_without_words_for_it_is_left_out_each_time() -> None:
    """A forwarding method of the future is not remembered."""
    shape = shape_of(destination_of(address="10.0.1.1"))
    strange = message([(kind, b"\7\0\0\0" if kind == Dest.FWD_METHOD else payload) for kind, payload in shape])

    assert read({}, [strange, strange], Family.INET) == ([None, None], {})

"""Who may be connected: decisions alone, with numbers for clients and no socket."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.web.admission import SPARE, Admission, Peer, client_of

MOST, MOST_OF_ONE = 6, 3


class Bench:
    """An admission with few places, and who had to leave."""

    def __init__(self, *, most_of_one: int = MOST_OF_ONE) -> None:
        self.admission = Admission(most=MOST, most_of_one=most_of_one)
        self.left: list[Peer] = []
        self._ports = iter(range(1, 100_000))

    def come(self, address: str) -> Peer | None:
        """A client connects; None if it is refused."""
        peer = (address, next(self._ports))
        return peer if self.admission.admit(peer, lambda: self.left.append(peer)) else None

    def come_busy(self, address: str) -> Peer:
        """A client connects, and asks for something."""
        peer = self.come(address)
        assert peer is not None
        self.admission.set_busy(peer, busy=True)
        return peer


def test_client_with_too_many_gives_up_its_own_first() -> None:
    """The one that was used longest ago; not one that waits for an answer."""
    bench = Bench()
    busy = bench.come_busy("10.0.0.1")
    first, second = bench.come("10.0.0.1"), bench.come("10.0.0.1")
    bench.admission.set_busy(first or (), busy=True)
    bench.admission.set_busy(first or (), busy=False)
    assert bench.come("10.0.0.1") is not None

    assert bench.left == [second]
    assert busy not in bench.left


def test_client_whose_connections_are_all_busy_is_refused() -> None:
    """It has asked enough."""
    bench = Bench()
    for _ in range(MOST_OF_ONE):
        bench.come_busy("10.0.0.1")

    assert bench.come("10.0.0.1") is None
    assert bench.left == []
    assert bench.come("10.0.0.2") is not None


def test_whoever_has_most_makes_room() -> None:
    """Even with all its connections busy, rather than one of a client that has few."""
    bench = Bench()
    few = [bench.come("10.0.0.2"), bench.come("10.0.0.3"), bench.come("10.0.0.3")]
    many = [bench.come_busy("10.0.0.1") for _ in range(MOST_OF_ONE)]
    assert bench.come("10.0.0.4") is not None

    assert bench.left == many[:1]
    assert not set(few) & set(bench.left)


def test_clients_beyond_the_limit_get_the_spare_places() -> None:
    """The newest of them: probes ask at once, others wait for who knows what."""
    bench = Bench(most_of_one=100)
    for _ in range(MOST):
        bench.come_busy("10.0.0.1")
    beyond = [bench.come("10.0.0.1") for _ in range(SPARE + 2)]

    assert bench.left == beyond[:2]
    assert all(bench.admission.is_spare(peer) for peer in beyond if peer)
    assert bench.admission.refused == 2


def test_trusted_client_keeps_its_place() -> None:
    """Also one that came beyond the limit; and those that are not trusted make room as before."""
    bench = Bench(most_of_one=100)
    kept = bench.come("10.0.0.1")
    bench.admission.trust(kept or ())
    for _ in range(MOST - 1):
        bench.come("10.0.0.1")
    late = bench.come("10.0.0.1")
    assert late is not None
    assert bench.admission.is_spare(late)
    bench.admission.trust(late)
    assert not bench.admission.is_spare(late)
    for _ in range(3 * MOST):
        bench.come("10.0.0.2")

    assert len(bench.left) >= MOST - 2
    assert not {kept, late} & set(bench.left)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_client_is_an_address_or_a_network_of_one_host(one: str, other: str, *, same: bool) -> None:
    """Whoever has an IPv6 network has 2^64 addresses."""
    assert (client_of(one) == client_of(other)) is same


STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "busy", "idle", "go"]), st.integers(1, 5), st.integers(0, 40)), max_size=80
)


@given(STEPS)
def test_limits_hold_whatever_happens(steps: list[tuple[str, int, int]]) -> None:
    """No more than the places and the spare ones, and none is lost: when all have gone, all are free."""
    bench = Bench()
    here: list[Peer] = []
    for what, host, which in steps:
        if what == "come":
            peer = bench.come(f"10.0.0.{host}")
            here += [peer] if peer else []
        elif here:
            peer = here[which % len(here)]
            if what == "go":
                bench.admission.forget(peer)
                here.remove(peer)
            else:
                bench.admission.set_busy(peer, busy=what == "busy")
        here = [peer for peer in here if peer not in bench.left]
        assert len(here) <= MOST + SPARE
        assert max(Counter(address for address, _ in here).values(), default=0) <= MOST_OF_ONE

    for peer in here:
        bench.admission.forget(peer)
    bench.left.clear()
    assert all(bench.come(f"10.0.1.{number}") for number in range(MOST))
    assert bench.left == []

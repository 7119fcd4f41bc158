from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.model.ipvs import (
    Destination,
    Family,
    ForwardingMethod,
    SchedulerFlag,
    Service,
    Table,
    Tunnel,
    TunnelType,
)
from lvs_agent.model.outline import outline_of, outlines_differ
from tests.builders import destination, fwmark_key, persistence, service, service_entry, service_key, table

KEY = service_key()
BASE = service_entry(service=service(), destinations=[destination(), destination(address="10.0.0.2")])
FOREIGN = service_entry(service=service(key=service_key(port=81)))


def differs(one: Table, other: Table) -> bool:
    """Whether the outlines disagree on our service."""
    return outlines_differ(outline_of(one), outline_of(other), services=[KEY])


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(table(), id="service-gone"),
        pytest.param(table(service_entry(service=service())), id="destinations-gone"),
        pytest.param(table(replace(BASE, service=service(scheduler="rr"))), id="scheduler"),
        pytest.param(table(replace(BASE, service=service(persistence=persistence()))), id="persistence"),
        pytest.param(table(service_entry(service=service(), destinations=[destination(weight=2)])), id="weight"),
        pytest.param(
            table(service_entry(service=service(), destinations=[destination(forwarding=ForwardingMethod.TUNNEL)])),
            id="forwarding",
        ),
    ],
)
def test_outline_shows_what_proc_shows(changed: Table) -> None:
    """Any of these changes calls for a reading of the table."""
    assert differs(table(BASE), changed)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(destination(upper_threshold=5), destination(), id="thresholds"),
        pytest.param(
            destination(forwarding=ForwardingMethod.TUNNEL, tunnel=Tunnel(type=TunnelType.GRE)),
            destination(forwarding=ForwardingMethod.TUNNEL),
            id="tunnel",
        ),
        pytest.param(
            destination(forwarding=ForwardingMethod.BYPASS),
            destination(forwarding=ForwardingMethod.MASQUERADE),
            id="bypass",
        ),
    ],
)
def test_outline_does_not_show_what_proc_hides(left: Destination, right: Destination) -> None:
    """The full reading each period is there for these."""
    one, other = (table(service_entry(service=service(), destinations=[row])) for row in (left, right))

    assert not differs(one, other)


def test_only_the_services_in_question_count() -> None:
    """What others do with theirs wakes nobody."""
    assert not differs(table(BASE), table(BASE, FOREIGN))


@given(st.permutations([destination(address=f"10.0.0.{last}") for last in range(1, 6)]))
def test_order_of_destinations_means_nothing(rows: list[Destination]) -> None:
    """The kernel lists them as it likes."""
    given_order = table(service_entry(service=service(), destinations=rows))
    sorted_order = table(service_entry(service=service(), destinations=sorted(rows, key=str)))

    assert not differs(given_order, sorted_order)


def test_two_services_of_one_mark_are_both_there() -> None:
    """IPv4 and IPv6 share a number in /proc; neither hides the other, in whichever order."""
    four, six = (
        service_entry(service=service(key=fwmark_key(mark=5, family=family), scheduler=scheduler))
        for family, scheduler in ((Family.INET, "rr"), (Family.INET6, "wlc"))
    )
    keys = [four.service.key, six.service.key]

    assert not outlines_differ(outline_of(table(four, six)), outline_of(table(six, four)), services=keys)
    assert outlines_differ(outline_of(table(four, six)), outline_of(table(four)), services=keys)


def test_one_packet_is_hidden_for_ipv6_addresses_only() -> None:
    """The kernel prints ``ops`` for marks and IPv4 alone."""

    def shown(wanted: Service) -> bool:
        ((one,),) = outline_of(table(service_entry(service=wanted))).values()
        return one.one_packet

    assert shown(service(one_packet=True))
    assert shown(service(key=fwmark_key(family=Family.INET6), one_packet=True))
    assert not shown(service(key=service_key(address="2001:db8::1"), one_packet=True))


def test_flags_and_engine_are_not_shown() -> None:
    """Neither is in the line that the outline is made of."""
    plain = service(persistence=persistence())
    rich = service(
        persistence=persistence(engine="sip", netmask=IPv4Address("255.255.255.255")),
        scheduler_flags=SchedulerFlag.FLAG_1,
    )

    assert not differs(table(service_entry(service=plain)), table(service_entry(service=rich)))

"""Rows and operations for hypothesis: few keys, so that they meet, and every value that a kernel might mind."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

from hypothesis import strategies as st

from lvs_agent.model.ipvs import (
    SCHEDULERS,
    AddDestination,
    AddressKey,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    DestinationKey,
    Family,
    ForwardingMethod,
    FwmarkKey,
    Operation,
    Persistence,
    Protocol,
    SchedulerFlag,
    Service,
    ServiceKey,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    UpdateDestination,
    UpdateService,
)

_VIRTUAL = [ip_address(text) for text in ("10.0.0.1", "10.0.0.2", "2001:db8::1")]
_REAL = [ip_address(text) for text in ("10.0.1.1", "10.0.1.2", "127.0.0.1", "2001:db8:1::1", "2001:db8:1::2")]
_NO_HOSTS = [
    ip_address(text)
    for text in ("0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "fe80::1", "::ffff:10.0.0.2")
]
_NETMASKS = [IPv4Address(text) for text in ("255.255.255.255", "255.255.255.0", "255.0.0.0", "0.0.0.0")]
_LARGE = [0, 1, 5, 6, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**32, -1]

schedulers = st.sampled_from([*SCHEDULERS, "none"])
odd_schedulers = st.sampled_from(["", "nosuch", "x" * 15, "x" * 16])
scheduler_flags = st.integers(0, 7).map(lambda bits: SchedulerFlag(bits << 3))
ports = st.sampled_from([0, 80, 443])


def service_keys() -> st.SearchStrategy[ServiceKey]:
    """Keys of services, of every kind."""
    return st.one_of(
        st.builds(AddressKey, st.sampled_from(Protocol), st.sampled_from(_VIRTUAL), ports),
        st.builds(FwmarkKey, st.integers(1, 2), st.sampled_from(Family)),
    )


def persistences(family: Family, *, odd: bool) -> st.SearchStrategy[Persistence]:
    """Persistence of a service of ``family``; ``odd`` ones too that a kernel may refuse."""
    prefixes = st.sampled_from([1, 64, 128, *((0, 129, -1, 2**32) if odd else ())])
    timeouts = st.sampled_from([1, 300, 86_400 * 31, *((0, -1, 86_400 * 31 + 1, 2**32) if odd else ())])
    engines = st.sampled_from([None, "sip", *(("", "nosuch", "x" * 16, "x" * 17) if odd else ())])
    masks = st.one_of(st.sampled_from(_NETMASKS), prefixes) if odd else _masks(family, prefixes)
    return st.builds(Persistence, timeout_s=timeouts, netmask=masks, engine=engines)


def _masks(family: Family, prefixes: st.SearchStrategy[int]) -> st.SearchStrategy[IPv4Address | int]:
    return st.sampled_from(_NETMASKS) if family is Family.INET else prefixes


@st.composite
def services(draw: st.DrawFn, *, odd: bool = False) -> Service:
    """Services that every kernel takes, and with ``odd`` others."""
    key = draw(service_keys())
    return Service(
        key=key,
        scheduler=draw(st.one_of(schedulers, odd_schedulers) if odd else schedulers),
        scheduler_flags=draw(scheduler_flags),
        persistence=draw(st.none() | persistences(key.family, odd=odd)),
        one_packet=draw(st.booleans()),
    )


def destination_keys(*, odd: bool = False) -> st.SearchStrategy[DestinationKey]:
    """Keys of destinations."""
    return st.builds(DestinationKey, st.sampled_from([*_REAL, *(_NO_HOSTS if odd else ())]), ports)


@st.composite
def destinations(draw: st.DrawFn, *, odd: bool = False) -> Destination:
    """Destinations that every kernel takes in a service of the right family, and with ``odd`` others."""
    forwarding = draw(st.sampled_from(ForwardingMethod))
    upper = draw(st.sampled_from(_LARGE) if odd else st.integers(0, 2**31 - 1))
    lower = draw(st.sampled_from(_LARGE) if odd else st.integers(0, upper))
    return Destination(
        key=draw(destination_keys(odd=odd)),
        forwarding=forwarding,
        weight=draw(st.sampled_from(_LARGE) if odd else st.integers(0, 2**31 - 1)),
        upper_threshold=upper,
        lower_threshold=lower,
        tunnel=draw(tunnels(odd=odd)) if forwarding is ForwardingMethod.TUNNEL else None,
    )


@st.composite
def tunnels(draw: st.DrawFn, *, odd: bool = False) -> Tunnel | None:
    """Tunnels of every type; with ``odd`` also none at all, and GUE without a port."""
    if odd and draw(st.booleans()):
        return None
    kind = draw(st.sampled_from(TunnelType))
    port = draw(st.sampled_from([6080, 65_535] if kind is TunnelType.GUE and not odd else [0, 6080]))
    return Tunnel(type=kind, port=port, checksum=draw(st.sampled_from(TunnelChecksum)))


def operations(*, odd: bool = False) -> st.SearchStrategy[Operation]:
    """Operations of every kind."""
    return st.one_of(
        st.builds(AddService, services(odd=odd)),
        st.builds(UpdateService, services(odd=odd)),
        st.builds(DeleteService, service_keys()),
        st.builds(AddDestination, service_keys(), destinations(odd=odd)),
        st.builds(UpdateDestination, service_keys(), destinations(odd=odd)),
        st.builds(DeleteDestination, service_keys(), destination_keys()),
    )

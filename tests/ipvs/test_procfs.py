from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lvs_agent.errors import ModuleMissing, NotPermitted, Unavailable
from lvs_agent.ipvs.procfs import Procfs, kernel_ticks, parse_header, parse_outline, parse_totals
from lvs_agent.model.ipvs import DestinationKey, ForwardingMethod, Protocol
from lvs_agent.model.outline import OutlineDestination, OutlineKey, OutlineService
from lvs_agent.model.statistics import Counters

RECORDED = Path("tests/data/ipvs/linux-7.2.ip_vs").read_text()
RECORDED_TOTALS = Path("tests/data/ipvs/linux-7.2.ip_vs_stats").read_text()
OLD = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0A80064:0050 wlc persistent 90000 FFFFFFFF
  -> C0A80002:0050      Route   1      3          7
  -> 7F000001:0050      Local   2      0          0
UDP  C0A80064:0035 rr ops
FWM  00000001 sh ops persistent 75000 FFFFFF00
  -> C0A80003:0000      Masq    65535  0          0
"""


def key(protocol: Protocol, address: str, port: int) -> OutlineKey:
    """The outline's key of an address service."""
    return protocol, DestinationKey(ip_address(address), port)


def row(address: str, port: int, forwarding: ForwardingMethod, weight: int) -> OutlineDestination:
    """A destination line."""
    return OutlineDestination(key=DestinationKey(ip_address(address), port), forwarding=forwarding, weight=weight)


def test_recorded_outline_is_read() -> None:
    """What Linux 7.2 shows: marks of both families, IPv6 in brackets, SCTP, a destination of the other family."""
    everyone = IPv4Address("255.255.255.255")
    outline = parse_outline(RECORDED, ticks=100)

    assert outline == {
        key(Protocol.SCTP, "10.0.0.1", 90): (
            OutlineService(scheduler="mh", one_packet=False, persistence=None, destinations=frozenset()),
        ),
        key(Protocol.UDP, "10.0.0.1", 81): (
            OutlineService(scheduler="wrr", one_packet=False, persistence=(360, everyone), destinations=frozenset()),
        ),
        key(Protocol.UDP, "2001:db8::1", 53): (
            OutlineService(
                scheduler="sh",
                one_packet=False,
                persistence=None,
                destinations=frozenset({row("2001:db8::2", 53, ForwardingMethod.DIRECT, 1)}),
            ),
        ),
        key(Protocol.TCP, "10.9.0.1", 80): (
            OutlineService(
                scheduler="wrr",
                one_packet=False,
                persistence=(600, IPv4Address("255.255.255.0")),
                destinations=frozenset(
                    {
                        row("2001:db8::5", 80, ForwardingMethod.TUNNEL, 0),
                        row("10.0.0.4", 80, ForwardingMethod.TUNNEL, 0),
                        row("10.0.0.2", 80, ForwardingMethod.DIRECT, 0),
                        row("127.0.0.1", 8080, ForwardingMethod.MASQUERADE, 3),
                    }
                ),
            ),
        ),
        10: (
            OutlineService(scheduler="rr", one_packet=False, persistence=(360, everyone), destinations=frozenset()),
            OutlineService(scheduler="rr", one_packet=False, persistence=(60, 64), destinations=frozenset()),
        ),
    }


def test_outline_of_a_kernel_with_another_tick_is_read() -> None:
    """The persistence timeout is printed in ticks, here 250 a second; flags come in any number."""
    outline = parse_outline(OLD, ticks=250)
    (http,), (dns,), (mark,) = outline.values()

    assert http.persistence == (360, IPv4Address("255.255.255.255"))
    assert {found.forwarding for found in http.destinations} == {ForwardingMethod.DIRECT, ForwardingMethod.LOCAL}
    assert dns.one_packet
    assert mark.one_packet
    assert mark.persistence == (300, IPv4Address("255.255.255.0"))
    assert mark.destinations == {row("192.168.0.3", 0, ForwardingMethod.MASQUERADE, 65_535)}


def test_services_of_unknown_protocols_are_left_out() -> None:
    """So are their destinations."""
    text = OLD.replace("TCP  C0A80064:0050 wlc persistent 90000 FFFFFFFF", "DCCP C0A80064:0050 wlc")

    assert key(Protocol.TCP, "192.168.0.100", 80) not in parse_outline(text, ticks=250)
    assert len(parse_outline(text, ticks=250)) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RECORDED, ("1.2.1", 256)),
        ("IP Virtual Server version 1.2.1 (size=0)\n", ("1.2.1", 0)),
        ("IP Virtual Server version 1.3.0\n", ("1.3.0", None)),
        ("IP Virtual Server version 1.2.1 (buckets, size=7)\n", ("1.2.1", 7)),
    ],
)
def test_header_is_read_by_its_meaning(text: str, expected: tuple[str, int | None]) -> None:
    """The size may be missing, or have company."""
    assert parse_header(text) == expected


def test_totals_are_hexadecimal() -> None:
    """The first line of numbers holds what was counted, the later one rates."""
    assert parse_totals(RECORDED_TOTALS) == Counters(
        connections=3, incoming_packets=18, outgoing_packets=18, incoming_bytes=1296, outgoing_bytes=1986
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense\n",
        OLD.replace("C0A80064:0050", "C0A80064"),
        OLD.replace("FWM  00000001", "FWM  mark"),
        OLD.replace("persistent 90000 FFFFFFFF", "persistent"),
        OLD.replace("Route   1", "Route   one"),
        OLD.replace("Route   1", "Catapult 1"),
        OLD.replace("C0A80002:0050      Route   1      3          7", ""),
        OLD.replace("TCP  C0A80064:0050", "TCP  [C0A80064]:0050"),
    ],
)
def test_unreadable_outline_raises_unavailable(text: str) -> None:
    """Text that makes no sense has one error."""
    with pytest.raises(Unavailable):
        parse_outline(text, ticks=100)


@given(st.text(alphabet="->TCPFWM0123456789ABCDEF:[] \nopsperistnRouteMasq", max_size=300))
@example("TCP  C0A80064:0050 wlc persistent " + "9" * 5000 + " FF")
@example("TCP  " + "A" * 5000 + ":0050 wlc")
def test_garbage_raises_nothing_but_unavailable(text: str) -> None:
    """Any text is either read or refused."""
    with suppress(Unavailable):
        parse_outline("IP Virtual Server version 1.2.1 (size=4096)\n" + text, ticks=100)
    with suppress(Unavailable):
        parse_outline(text, ticks=100)
    with suppress(Unavailable):
        parse_totals(text)


@given(st.integers(0, len(RECORDED)), st.characters(max_codepoint=255))
def test_damaged_outline_raises_nothing_but_unavailable(place: int, character: str) -> None:
    """One wrong character is either read over or refused."""
    with suppress(Unavailable):
        parse_outline(RECORDED[:place] + character + RECORDED[place + 1 :], ticks=100)


@pytest.fixture
def procfs(tmp_path: Path) -> Procfs:
    """A procfs as a container sees the host's: without the calling thread in it."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net/ip_vs").write_text(RECORDED)
    (tmp_path / "net/ip_vs_stats").write_text(RECORDED_TOTALS)
    (tmp_path / "sys/net/ipv4/vs").mkdir(parents=True)
    (tmp_path / "sys/net/ipv4/vs/conntrack").write_text("1\n")
    (tmp_path / "sys/net/ipv4/vs/sync_sock_size").write_text("0\n")
    return Procfs(root=tmp_path, ticks=100)


def test_files_are_found_below_the_root(procfs: Procfs) -> None:
    """Outline and totals come from net/."""
    assert procfs.read_outline() == parse_outline(RECORDED, ticks=100)
    assert procfs.read_totals() == parse_totals(RECORDED_TOTALS)


def test_calling_threads_own_files_come_first(procfs: Procfs, tmp_path: Path) -> None:
    """Where procfs knows the calling thread, its network namespace is the one that is read."""
    (tmp_path / "thread-self/net").mkdir(parents=True)
    (tmp_path / "thread-self/net/ip_vs").write_text(OLD)

    assert procfs.read_outline() == parse_outline(OLD, ticks=100)


def test_only_settings_that_this_kernel_has_are_told(procfs: Procfs) -> None:
    """Settings that do not change what happens to packets are left out, missing ones too."""
    assert procfs.read_sysctls() == {"conntrack": 1}


def test_setting_that_is_no_number_raises_unavailable(procfs: Procfs, tmp_path: Path) -> None:
    """It is not taken for 0."""
    (tmp_path / "sys/net/ipv4/vs/conntrack").write_text("yes\n")

    with pytest.raises(Unavailable):
        procfs.read_sysctls()


def test_missing_file_says_that_the_module_is_missing(tmp_path: Path) -> None:
    """With the remedy."""
    with pytest.raises(ModuleMissing, match="modprobe ip_vs"):
        Procfs(root=tmp_path, ticks=100).read_outline()


def test_unreadable_file_keeps_its_errno(tmp_path: Path) -> None:
    """A directory instead of the file, as a stand-in for whatever else may be wrong."""
    (tmp_path / "net/ip_vs").mkdir(parents=True)

    with pytest.raises(Exception, match="EISDIR") as caught:
        Procfs(root=tmp_path, ticks=100).read_outline()

    assert not isinstance(caught.value, NotPermitted)


def test_ticks_are_a_plausible_number_of_interrupts() -> None:
    """Linux ticks between 24 and 1,200 times a second, on any architecture."""
    assert 24 <= kernel_ticks() <= 1_200

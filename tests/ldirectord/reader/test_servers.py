"""How virtual services, real servers and fallback servers are written, and the rows that come of it."""

from __future__ import annotations

import pytest

from lvs_agent.core.health import Health
from lvs_agent.ldirectord.reader.addresses import Resolver
from lvs_agent.ldirectord.reader.names import SystemNames
from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.model.ipvs import Family
from tests.ldirectord.reader.expected import config_of, lines_of, table_of

WEB = "virtual=203.0.113.1:80\n\tchecktype=connect\n"


def told(text: str) -> list[str]:
    """What is said about ``text``, without the remark on time limits that nearly every file gets."""
    return [line for line in lines_of(text) if line.startswith(("warning", "error")) and "the timeout (" not in line]


def rows(text: str) -> list[str]:
    """The destinations of the only service in ``text``, as "ADDRESS METHOD -w WEIGHT"."""
    rules = [rule.partition(" -r ")[2] for rule in table_of(config_of(text)) if rule.startswith("-a")]
    return [rule.removesuffix(" --tun-type ipip") for rule in rules]


@pytest.mark.parametrize(
    ("virtual", "service"),
    [
        pytest.param("virtual=203.0.113.1:80", "-t 203.0.113.1:80", id="address and port"),
        pytest.param("virtual = 203.0.113.1:80", "-t 203.0.113.1:80", id="blanks around ="),
        pytest.param("virtual=203.0.113.1:www", "-t 203.0.113.1:80", id="service name"),
        pytest.param("virtual=203.0.113.1:53", "-u 203.0.113.1:53", id="53 is udp"),
        pytest.param("virtual=203.0.113.1:domain", "-u 203.0.113.1:53", id="domain is udp"),
        pytest.param("virtual=203.0.113.1:053", "-t 203.0.113.1:53", id="only the text 53 is udp"),
        pytest.param("virtual=db1:80", "-t 192.0.2.31:80", id="host name"),
        pytest.param("virtual=5", "-f 5", id="mark"),
        pytest.param("virtual6=5", "-f 5 -6", id="mark of IPv6"),
        pytest.param("virtual6=[2001:db8::1]:80", "-t [2001:db8::1]:80", id="IPv6"),
        pytest.param("virtual=[2001:db8::1]:80", "-t [2001:db8::1]:80", id="IPv6 without 6"),
        pytest.param("virtual6=203.0.113.1:80", "-t 203.0.113.1:80", id="IPv4 with 6"),
        pytest.param("virtual=203.0.113.1::80", "-t 203.0.113.1:80", id="two colons"),
        pytest.param("virtual=203.0.113.1:80, main", "-t 203.0.113.1:80", id="more behind it"),
        pytest.param("Virtual=203.0.113.1:80", "-t 203.0.113.1:80", id="upper case"),
        pytest.param("virtual=203.0.113.1\n\tservice=http", "-t 203.0.113.1:80", id="port of the service"),
        pytest.param("virtual=203.0.113.1\n\treal=192.0.2.1:81 masq", "-t 203.0.113.1:81", id="port of the servers"),
        pytest.param("virtual=203.0.113.1\n\tcheckport=82", "-t 203.0.113.1:82", id="port that is checked"),
    ],
)
def test_virtual_service_is_found_by(virtual: str, service: str) -> None:
    """Protocol, address and port, or a mark."""
    assert table_of(config_of(f"{virtual}\n"))[0] == f"-A {service} -s wrr"


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        pytest.param("192.0.2.1:80 gate", ["192.0.2.1:80 -g -w 1"], id="shortest"),
        pytest.param("192.0.2.1 gate", ["192.0.2.1:80 -g -w 1"], id="no port"),
        pytest.param("192.0.2.1:www gate", ["192.0.2.1:80 -g -w 1"], id="service name"),
        pytest.param("192.0.2.1:80\tipip\t7", ["192.0.2.1:80 -i -w 7"], id="tabs"),
        pytest.param("192.0.2.1:8080 masq 0", ["192.0.2.1:8080 -m -w 0"], id="mapped port"),
        pytest.param("192.0.2.1 masq", ["192.0.2.1:80 -m -w 1"], id="masq without a port"),
        pytest.param("192.0.2.1:8080 gate", ["192.0.2.1:80 -g -w 1"], id="gate maps no port"),
        pytest.param("db1:80 gate", ["192.0.2.31:80 -g -w 1"], id="host name"),
        pytest.param("192.0.2.1::80 gate", ["192.0.2.1:80 -g -w 1"], id="two colons"),
        pytest.param("192.0.2.1:80 GATE 2", ["192.0.2.1:80 -g -w 2"], id="upper case"),
        pytest.param('192.0.2.1:80 gate 2 "a b", "c"', ["192.0.2.1:80 -g -w 2"], id="request and response"),
        pytest.param('192.0.2.1:80 gate "GET 5" "x"', ["192.0.2.1:80 -g -w 1"], id="digits in quotes are no weight"),
        pytest.param("192.0.2.1:80 gate some 5", ["192.0.2.1:80 -g -w 5"], id="first number is the weight"),
        pytest.param("192.0.2.1:80 gate 2 l:3 u:9", ["192.0.2.1:80 -g -w 2"], id="thresholds"),
        pytest.param("db1->db3:80 masq", [f"192.0.2.{n}:80 -m -w 1" for n in (31, 32, 33)], id="range of names"),
        pytest.param(
            "192.0.2.255:80->192.0.3.0:80 masq", ["192.0.2.255:80 -m -w 1", "192.0.3.0:80 -m -w 1"], id="two ports"
        ),
        pytest.param(
            "5.245.224.255 -> 5.245.225.0:80 gate",
            ["5.245.224.255:80 -g -w 1", "5.245.225.0:80 -g -w 1"],
            id="range over a digit boundary, blanks around the arrow",
        ),
    ],
)
def test_real_server_gives_rows(real: str, expected: list[str]) -> None:
    """One for each server, with the port that the kernel goes by."""
    assert rows(f"{WEB}\treal={real}\n") == expected


def test_thresholds_count_in_either_order_and_in_quotes() -> None:
    """ldirectord drops one that comes too late, and its manual shows quotes that it does not take."""
    text = WEB + '\treal=192.0.2.1:80 gate 1 u:9 l:3\n\treal=192.0.2.2:80 gate 1 "l:4" "u:8"\n'
    servers = config_of(text).intent.services[0].real_servers

    assert [(each.destination.lower_threshold, each.destination.upper_threshold) for each in servers] == [
        (3, 9),
        (4, 8),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("virtual=nowhere.example:80\n", 'line 1: "nowhere.example" is not a host with an address of IPv4 here'),
        ("virtual=203.0.113.1:99999\n", "line 1: the port 99999 is larger than 65535"),
        ("virtual=203.0.113.1:nothing\n", 'line 1: "nothing" is not a known service; write the number of its port'),
        ("virtual=203.0.113.1\n", "line 1: a virtual service needs a port; write virtual=ADDRESS:PORT"),
        ("virtual=2001:db8::1\n", "line 1: an IPv6 address needs brackets; write [ADDRESS]:PORT"),
        (
            "virtual=???\n",
            'line 1: "???" is not a virtual service; write ADDRESS:PORT, [IPV6]:PORT or the number of a firewall mark',
        ),
        ("virtual=0\n", "line 1: firewall mark: must be at least 1"),
        (
            f"{WEB}\treal=192.0.2.1:80\n",
            "line 3: the forwarding method is missing after the address: gate, masq or ipip",
        ),
        (
            f"{WEB}\treal=192.0.2.1:80 nat\n",
            'line 3: the forwarding method is missing after the address: gate, masq or ipip; for "nat" write masq',
        ),
        (f"{WEB}\treal=5060 gate\n", 'line 3: "5060" is not an address; write one like 192.0.2.1 or [2001:db8::1]'),
        (
            f"{WEB}\treal=192.0.2.1:10->192.0.2.2:20 gate\n",
            'line 3: the ends of the range "192.0.2.1:10->192.0.2.2:20" have different ports; write FIRST->LAST:PORT',
        ),
        (
            f"{WEB}\treal=http://192.0.2.1/ gate\n",
            'line 3: "http://192.0.2.1/" is not a real server; write ADDRESS:PORT, then gate, masq or ipip',
        ),
        (f"{WEB}\treal=192.0.2.1:99999 gate\n", "line 3: the port 99999 is larger than 65535"),
        (f"{WEB}\tfallback=127.0.0.1:99999\n", "line 3: the port 99999 is larger than 65535"),
        (
            f"{WEB}\treal=192.0.2.9->192.0.2.1:80 gate\n",
            "line 3: the range from 192.0.2.9 to 192.0.2.1 has no end; write FIRST->LAST with whole addresses",
        ),
        (
            f"{WEB}\treal=10.0.0.0->10.0.16.0:80 gate\n",
            "line 3: the range from 10.0.0.0 to 10.0.16.0 has 4097 servers; more than 4096 are not taken",
        ),
        (
            f'{WEB}\treal=192.0.2.1:80 gate 1 "only one"\n',
            'line 3: a real server must have both a request and a response, or none; write "REQUEST", "RESPONSE"',
        ),
        (
            f"{WEB}\treal=192.0.2.1:80 gate 70000\n",
            "line 3: the weight must be at most 65535; the kernel refuses 70000",
        ),
        (
            f"{WEB}\tfallback=->\n",
            "line 3: fallback needs an address, like 127.0.0.1:80, and may have gate, masq or ipip after it",
        ),
        (
            f"{WEB}{WEB}",
            "line 3: the virtual service tcp/203.0.113.1:80 is on line 1 already; merge the two",
        ),
        (
            f"{WEB}\treal6=[2001:db8::1]:80 gate\n",
            'line 3: address: is IPv6, but the service is not; only forwarding "tunnel" can change the family',
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, problem: str) -> None:
    """What is wrong, and what to write."""
    assert told(text) == [f"error {problem}"]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "virtual=203.0.113.1\n\tservice=http\n",
            "line 1: the port is missing; 80 is taken, the port of service=http; ldirectord makes it the firewall",
        ),
        (
            f"{WEB}\treal=192.0.2.1 masq\n",
            "line 3: the real server has no port: its row has the virtual service's, where",
        ),
        (
            f"{WEB}\treal=192.0.2.1:8080 gate\n",
            "line 3: with gate the real server gets packets on the virtual service's",
        ),
        (f"{WEB}\treal=192.0.2.1 gate\n", ""),
        (
            "virtual=203.0.113.1:8080\n\tservice=http\n\treal=192.0.2.1 gate\n",
            "line 3: is checked on the virtual service's port 8080; ldirectord checks port 80",
        ),
        (
            "virtual=203.0.113.1:8080\n\tchecktype=connect\n\treal=192.0.2.1 gate\n",
            "line 3: is checked on the virtual service's port 8080; ldirectord knows no port and reports it as down",
        ),
        (
            f"{WEB}\treal=192.0.2.1:80 gate\n\treal=192.0.2.1:81 gate 5\n",
            "line 4: 192.0.2.1 is a real server of this virtual service already (line 3), which counts",
        ),
        (
            f"{WEB}\tfallback=127.0.0.1:80 what\n",
            'line 3: "what" after the fallback server is ignored; write # before',
        ),
        (
            "virtual=3\n\tprotocol=tcp\n",
            "line 2: protocol=tcp has no effect with a firewall mark; ldirectord refuses",
        ),
        (
            f"{WEB}\treal=192.0.2.1:80 gate 1 l:5\n\tchecktype=on\n",
            "line 3: the lower threshold l: (5) has no u: and is left out",
        ),
        (
            f"{WEB}\treal=192.0.2.1:80 gate 1 l:5 u:4\n\tchecktype=on\n",
            "line 3: the lower threshold l: (5) is above u: (4) and is left out",
        ),
        (
            f"{WEB}\treal=192.0.2.1:80 gate 1\n\tchecktype=on\n\tschedflags=sh-port,flag-1\n",
            'line 5: schedflags: "sh-port" is not a flag of the scheduler wrr and is left out',
        ),
    ],
)
def test_what_is_meant_otherwise_by_ldirectord_is_warned_of(text: str, warning: str) -> None:
    """Nobody is surprised by a row or a check that ldirectord had otherwise."""
    found = told(text)

    assert any(line.startswith(f"warning {warning}") for line in found) if warning else found == []


SERVER = "\treal=192.0.2.1:80 gate\n"
SERVER6 = "\treal6=[2001:db8::9]:80 gate\n"


@pytest.mark.parametrize(
    ("text", "sorry"),
    [
        pytest.param(f"{WEB}{SERVER}\tfallback=127.0.0.1\n", "127.0.0.1:80 -g", id="method and port of the service"),
        pytest.param(f"fallback=127.0.0.9:81 masq\n{WEB}{SERVER}", "127.0.0.9:81 -m", id="global"),
        pytest.param(
            f"fallback=127.0.0.9 masq\n{WEB}{SERVER}\tfallback=127.0.0.8 ipip\n", "127.0.0.8:80 -i", id="own one first"
        ),
        pytest.param(f"fallback=127.0.0.9:81\nvirtual=4\n{SERVER}", "127.0.0.9:81 -g", id="global for a mark"),
        pytest.param(f"fallback=127.0.0.9\nvirtual=4\n{SERVER}", "127.0.0.9:0 -g", id="mark without a port"),
        pytest.param(f"fallback6=[::1]:81\nvirtual6=4\n{SERVER6}", "[::1]:81 -g", id="mark of IPv6"),
        pytest.param(f"fallback6=[::1]\nvirtual6=[2001:db8::1]:80\n{SERVER6}", "[::1]:80 -g", id="IPv6"),
    ],
)
def test_fallback_is_what_serves_when_all_are_down(text: str, sorry: str) -> None:
    """Own before global, of the family of the service, for marks too."""
    rule = table_of(config_of(text), Health.DOWN)[1]

    assert rule.partition(" -r ")[2].removesuffix(" --tun-type ipip") == f"{sorry} -w 1"


def test_octal_numbers_are_what_the_system_takes_them_for() -> None:
    """As ldirectord does, but with a word about it."""
    notes = Notes()
    resolver = Resolver(SystemNames(), notes)

    assert str(resolver.host("192.0.2.010", family=Family.INET, line=1)) == "192.0.2.8"
    assert [str(each) for each in notes.warnings()] == [
        "line 1: 192.0.2.010 is read as 192.0.2.8: numbers that begin with 0 are octal"
    ]

"""What becomes of checktype, service and everything that belongs to a check."""

from __future__ import annotations

from typing import Any

import pytest

from lvs_agent.ldirectord.reader.checks import NEGOTIATES
from lvs_agent.ldirectord.reader.names import FixedNames
from lvs_agent.ldirectord.reader.reading import understand
from lvs_agent.ldirectord.reader.services import PORTS, SERVICES
from tests.ldirectord.reader.expected import config_of
from tests.ldirectord.reader.test_servers import told

REAL = "\treal=192.0.2.1:80 masq\n"


def tables_of(text: str) -> dict[str, Any]:
    """The tables of ``text``, which has nothing wrong with it."""
    understood = understand(text.encode(), name="x.cf", names=FixedNames())
    assert understood.errors == ()
    return understood.reading.tables


def check(*directives: str, virtual: str = "203.0.113.1:80", real: str = "192.0.2.1:80 masq") -> dict[str, Any]:
    """The check of the one real server of a service with ``directives``, as TOML would have it."""
    text = f"virtual={virtual}\n\treal={real}\n" + "".join(f"\t{each}\n" for each in directives)
    config_of(text)
    service = tables_of(text)["virtual_service"][0]
    return {**service.get("check", {}), **service["real_server"][0].get("check", {})}


HTTP = {"type": "http", "follow_redirects": 7, "timeout": "30s"}


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        pytest.param([], HTTP, id="default of port 80"),
        pytest.param(['request="a b.html?x=y&z"'], HTTP | {"path": "/a%20b.html?x=y&z"}, id="path is encoded"),
        pytest.param(['request="/中"'], HTTP | {"path": "/%E4%B8%AD"}, id="path beyond ASCII"),
        pytest.param(
            ['request="http://www.example.net:81/x"'],
            HTTP | {"path": "/x", "virtual_host": "www.example.net:81"},
            id="whole URL",
        ),
        pytest.param(
            ['receive="Te\\Z"'], HTTP | {"body_regex": "Te(?=\\n?\\Z)", "body_limit": "1MiB"}, id="Perl's expression"
        ),
        pytest.param(["httpmethod=head"], HTTP | {"method": "HEAD"}, id="method"),
        pytest.param(
            ["httpmethod=HEAD", 'receive="x"'], HTTP | {"body_regex": "x", "body_limit": "1MiB"}, id="HEAD has no body"
        ),
        pytest.param(['virtualhost="www.example.net"'], HTTP | {"virtual_host": "www.example.net"}, id="virtual host"),
        pytest.param(["service=https"], HTTP | {"type": "https", "tls": {"verify": False}}, id="https"),
        pytest.param(["checkport=81"], HTTP | {"port": 81}, id="check port"),
        pytest.param(["checktype=3"], HTTP | {"connects_between": 3}, id="N"),
        pytest.param(["checktype=negotiate 3"], HTTP | {"connects_between": 3}, id="N behind negotiate"),
        pytest.param(["checktype=0"], HTTP, id="0 is always negotiate"),
        pytest.param(["checktype=connect"], {"type": "tcp", "timeout": "5s"}, id="connect"),
        pytest.param(["checktype=connect", "protocol=udp"], {"type": "ping", "timeout": "5s"}, id="connect for udp"),
        pytest.param(["checktype=ping"], {"type": "ping", "timeout": "5s"}, id="ping"),
        pytest.param(["checktype=on"], {"type": "none"}, id="on"),
        pytest.param(["service=none"], {"type": "none"}, id="none"),
        pytest.param(["service=none", "checktype=2"], {"type": "tcp", "timeout": "5s"}, id="only the connects of N"),
        pytest.param(["service=oracle"], {"type": "tcp", "timeout": "30s"}, id="oracle without a login"),
        pytest.param(
            ["checktype=external", 'checkcommand="/usr/lib/x"'],
            {
                "type": "command",
                "command": ["/usr/lib/x", "203.0.113.1", "80", "192.0.2.1", "80"],
                "timeout": "5s",
            },
            id="external",
        ),
        pytest.param(
            ["checktype=external", "checkcommand=/usr/lib/x -v", "checkport=81"],
            {
                "type": "command",
                "command": ["/usr/lib/x", "-v", "203.0.113.1", "80", "192.0.2.1", "80"],
                "timeout": "5s",
            },
            id="external with arguments, check port not passed",
        ),
        pytest.param(
            ["checktype=external-perl", "checkcommand=/usr/lib/x.pl"],
            {
                "type": "command",
                "command": ["/usr/bin/perl", "/usr/lib/x.pl", "203.0.113.1", "80", "192.0.2.1", "80"],
                "timeout": "5s",
            },
            id="external-perl",
        ),
        pytest.param(
            ["checktype=external", "checkcommand=x"],
            {
                "type": "command",
                "command": ["/usr/bin/env", "x", "203.0.113.1", "80", "192.0.2.1", "80"],
                "timeout": "5s",
            },
            id="external found in PATH",
        ),
        pytest.param(["checktype=external"], {"type": "none"}, id="external without a command is /bin/true"),
        pytest.param(["checkinterval=3", "failurecount=4"], HTTP | {"interval": "3s", "fall": 4}, id="own times"),
    ],
)
def test_check_of(directives: list[str], expected: dict[str, Any]) -> None:
    """A check table that does what ldirectord does, or better."""
    assert check(*directives) == expected


def test_external_check_of_a_mark_gets_the_mark_and_zeros() -> None:
    """As ldirectord calls it, where there is neither a virtual address nor any port; IPv6 in brackets."""
    made = check("checktype=external", "checkcommand=/x", virtual="7", real="192.0.2.1 gate")
    text = "virtual6=7\n\treal6=[2001:db8::1] gate\n\tchecktype=external\n\tcheckcommand=/x\n"
    service = tables_of(text)["virtual_service"][0]

    assert made["command"] == ["/x", "7", "0", "192.0.2.1", "0"]
    assert service["real_server"][0]["check"]["command"] == ["/x", "7", "0", "[2001:db8::1]", "0"]


@pytest.mark.parametrize("port", [*PORTS.values(), 23, 8080])
def test_service_comes_from_the_virtual_port(port: int) -> None:
    """Every port that ldirectord knows, and none of the others."""
    service = next((name for name, usual in PORTS.items() if usual == port), "none")
    directives = ('login="x"', 'passwd="x"', 'database="x"', 'request="SELECT 1"')
    login = directives if service in {"mysql", "pgsql", "oracle"} else ()
    made = check(*login, virtual=f"203.0.113.1:{port}", real=f"192.0.2.1:{port} masq")["type"]

    assert made == service


def test_every_service_has_a_check() -> None:
    """Nothing that ldirectord speaks is left out."""
    assert {*NEGOTIATES, "none"} == set(SERVICES)


def test_off_leaves_servers_to_others() -> None:
    """checktype=off has no check at all."""
    service = tables_of(f"virtual=203.0.113.1:80\n{REAL}\tchecktype=off\n")["virtual_service"][0]

    assert service["checked"] is False
    assert config_of(f"virtual=203.0.113.1:80\n{REAL}\tchecktype=off\n").intent.checks == {}


def test_each_server_may_ask_for_something_else() -> None:
    """Own request and response replace those of the service; an empty response means none."""
    text = (
        'virtual=203.0.113.1:80\n\trequest="a"\n\treceive="A"\n'
        '\treal=192.0.2.1:80 masq\n\treal=192.0.2.2:80 masq 1 "b", "B"\n\treal=192.0.2.3:80 masq 1 "c" ""\n'
    )
    service = tables_of(text)["virtual_service"][0]

    assert service["check"] == HTTP
    assert [server["check"] for server in service["real_server"]] == [
        {"path": "/a", "body_regex": "A", "body_limit": "1MiB"},
        {"path": "/b", "body_regex": "B", "body_limit": "1MiB"},
        {"path": "/c"},
    ]


@pytest.mark.parametrize(
    ("around", "own", "limits"),
    [
        ([], [], ("5s", "30s")),
        (["checktimeout=3"], [], ("3s", "3s")),
        (["negotiatetimeout=4"], [], ("4s", "4s")),
        (["checktimeout=3", "negotiatetimeout=4"], [], ("3s", "4s")),
        (["checktimeout=3", "negotiatetimeout=4"], ["checktimeout=1"], ("1s", "1s")),
        (["checktimeout=3", "negotiatetimeout=4"], ["negotiatetimeout=2"], ("2s", "2s")),
        (["checktimeout=3"], ["checktimeout=1", "negotiatetimeout=2"], ("1s", "2s")),
        (["timeout=6"], [], ("6s", "6s")),
        (["checktimeout=3", "connecttimeout=7"], [], ("3s", "7s")),
    ],
)
def test_time_limits_stand_in_for_each_other(around: list[str], own: list[str], limits: tuple[str, str]) -> None:
    """The own one of either kind counts before a global one."""
    found = []
    for kind in ("connect", "negotiate"):
        directives = "".join(f"\t{each}\n" for each in [*own, f"checktype={kind}"])
        text = "".join(f"{each}\n" for each in around) + f"virtual=203.0.113.1:80\n{REAL}{directives}"
        found.append(tables_of(text)["virtual_service"][0]["check"]["timeout"])

    assert tuple(found) == limits


@pytest.mark.parametrize(
    ("directive", "problem"),
    [
        ("service=htpp", "; did you mean http?"),
        ("checktype=negotiates", "; did you mean negotiate?"),
        ("checkport=70000", "checkport must be from 1 to 65535"),
        ("checkport=x", "checkport must be a whole number from 1 up"),
        ("httpmethod=POST", "httpmethod must be GET or HEAD"),
        ('receive="(a"', "receive cannot be used: a parenthesis is not closed; write another regular expression that"),
        (f'receive="{"a" * 1001}"', "receive cannot be used: it is longer than 1000 characters; write another"),
        ("virtualhost=a/b", "virtualhost: must be a host name"),
        ("failurecount=1001", "failurecount: must be at most 1000"),
        ("checkinterval=90000", "checkinterval: must be at most 1d"),
        ("protocol=sctp", "protocol must be tcp or udp; a firewall mark is written virtual=NUMBER"),
        ("scheduler=wwr", "; did you mean wrr?"),
        ("schedflags=sh-prot", 'schedflags has "sh-prot"; ipvsadm takes'),
        ("persistent=2678401", "persistent must be at most 2678400 seconds (31 days); the kernel refuses more"),
        ("persistent=0", "persistent must be a whole number from 1 up"),
        ("persistent=5\n\tnetmask=255.0.255.0", "netmask is not a netmask: all one bits must come first"),
        (
            "fallbackcommand=/x | y",
            "fallbackcommand needs a shell because of '|', and there is none here; put it into a",
        ),
        ("fallbackcommand=bin/x", "fallbackcommand needs the full path of its program, from / on"),
        ("emailalertstatus=sometimes", 'emailalertstatus has "sometimes"; it takes all, none, starting, running'),
        (
            "emailalertstatus=none,running",
            "emailalertstatus has none together with others; write none, or only the others",
        ),
        ("smtp=???", "smtp must be the name of a server, or its IPv4 address"),
        ("quiescent=perhaps", "quiescent must be yes or no"),
        ("ops=", "ops needs a value after the ="),
        ("receiver=x", "unknown directive 'receiver'; did you mean 'receive'?"),
        ("xyzzy=x", "unknown directive 'xyzzy'; write # before it if it is a comment"),
        ("scheduler wrr", "'scheduler' needs = and a value after it"),
        ("some words", "is not a directive (name = value); write # before it if it is a comment"),
        ("comment=a\x07b", "has a control character; delete it"),
    ],
)
def test_value_that_cannot_be_used_is_refused_with_a_remedy(directive: str, problem: str) -> None:
    """With the line, in one sentence, and nothing else is complained of."""
    found = told(f"virtual=203.0.113.1:80\n{REAL}\t{directive}\n")

    assert [line.startswith("error line ") and problem in line for line in found] == [True]


@pytest.mark.parametrize(
    ("directive", "keys"),
    [
        ("scheduler=RR", {"scheduler": "rr"}),
        ("scheduler=rr9", {"scheduler": "rr"}),
        ("protocol=UDP", {"protocol": "udp"}),
        ("service=HTTP", {}),
        ("checktype=Ping", {"check": {"type": "ping", "timeout": "5s"}}),
        ("checktype=negotiate 3 times", {"check": HTTP | {"connects_between": 3}}),
        ("quiescent=YES", {"on_down": "quiesce"}),
        ("quiescent=off", {"on_down": "remove"}),
        ("ops=yes", {}),
        ("fallback6=127.0.0.1", {"sorry_server": {"address": "127.0.0.1"}}),
        ("persistent=5\n\tnetmask=24", {"persistence": {"timeout": "5s", "prefix_length": 24}}),
        (f"comment={'x' * 1001}", {"comment": "x" * 1000}),
        ("checktype=external", {"check": {"type": "none"}}),
    ],
)
def test_value_that_is_written_otherwise_is_taken_with_a_warning(directive: str, keys: dict[str, Any]) -> None:
    """What was plainly meant, and one sentence about it."""
    text = f"virtual=203.0.113.1:80\n{REAL}\t{directive}\n"
    service = tables_of(text)["virtual_service"][0]

    assert {key: service.get(key) for key in keys} == keys
    assert len(told(text)) == 1


def test_server_without_any_port_to_check_is_down_as_with_ldirectord() -> None:
    """Where neither the mark nor the server nor the service has a port."""
    text = "virtual=5\n\treal=192.0.2.1 gate\n\tchecktype=connect\n"

    assert tables_of(text)["virtual_service"][0]["check"] == {"type": "none", "result": "down"}
    assert told(text) == [
        "warning line 2: there is no port to check, so it is always down, as with ldirectord; write checkport="
    ]


@pytest.mark.parametrize("command", ["'/x", "/x 'y"])
def test_command_line_that_is_none_is_refused(command: str) -> None:
    """With an open quote nobody knows where a word ends."""
    checks = f"\tchecktype=external\n\tcheckcommand={command} z\n"
    found = [*told(f"virtual=203.0.113.1:80\n{REAL}\tfallbackcommand={command}\n"), *told(f"virtual=5\n{REAL}{checks}")]

    assert len(found) == 2
    assert all(line.startswith("error line ") for line in found)

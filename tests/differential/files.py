"""Configurations that describe a table, over the whole grammar that ldirectord takes, and what becomes of them.

The addresses of real servers are those of ``tests.differential.world``, so that their health can be decided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import strategies as st

from tests.differential.texts import one_of
from tests.differential.world import HOSTS, HOSTS6


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One virtual service: its first line, and its other ones without their indentation."""

    head: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A configuration.  ``indent`` is what stands before each line of a block."""

    lines: tuple[str, ...]
    blocks: tuple[Block, ...]
    indent: str

    def text(self) -> bytes:
        """As ldirectord takes it."""
        written = [*self.lines]
        for block in self.blocks:
            written += [block.head, *(self.indent + line for line in block.lines), ""]
        return "".join(f"{line}\n" for line in written).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A configuration, the one that replaces it, the host that is down first, and how the change is noticed."""

    before: bytes
    after: bytes
    down: str
    down_at_reload: bool
    by_signal: bool


_EXTERNAL_PERL = Path(__file__).with_name("external.pl")
SERVER_HOSTS, SERVER_HOSTS6 = HOSTS[:6], HOSTS6[:4]
_FALLBACK_HOSTS = ("127.0.0.1", "localhost", HOSTS[8])
_RANGE = f"{HOSTS[6]}->{HOSTS[7]}"
_WEIGHTS = one_of("", "", " 1", " 1", " 5", " 10", " 100", " 0", " 65535", " 3  ")
_METHODS = one_of("gate", "gate", "masq", "masq", "masq", "ipip")
_REQUESTS = one_of("", "", "", ' "ok", "OK"', "", ' "ok","T.st"', ' "/ok", "OK"', "", ' "gone" "OK"', "", "", "")
# What is rare stands in the middle: hypothesis likes what is at the ends.
_THRESHOLDS = one_of(*[""] * 20, " u:50 l:5", *[" u:50", " l:5 u:50"] * 4, " l:7", *[""] * 20)
_GLOBAL = one_of(
    *(
        "checkinterval=1",
        "checkinterval = 5",
        "failurecount=1",
        "failurecount=2",
        "checkcount=1",
        "fork=no",
        "quiescent=no",
    ),
    *("quiescent=yes", "quiescent = yes", "readdquiescent=yes", "readdquiescent=no", "cleanstop=no", "cleanstop=yes"),
    *("fallback=127.0.0.1:80 gate", "fallback=127.0.0.1:8080 masq", "fallback=127.0.0.1", "fallback6=[::1]:80"),
    *(
        "fallbackcommand=/bin/true",
        'logfile="/dev/null"',
        "emailalertfreq=5",
        "emailalertstatus=none",
        "smtp=mail.example",
    ),
    *(
        "emailalertfrom=lvs@example.com",
        'callback="/bin/true"',
        "supervised=no",
        "maintenancedir=/var/empty",
        "# comment",
    ),
)
_SCHEDULER = st.one_of(
    one_of(*("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")).map(
        lambda name: (f"scheduler={name}",)
    ),
    st.just(("scheduler = sh # source", "schedflags=sh-port,sh-fallback")),
    st.just(("scheduler=mh", "schedflags=mh-port")),
    st.just(("scheduler=wlc", "schedflags=flag-1")),
)
_PERSISTENCE = one_of("persistent=600", "persistent = 50 # seconds", "persistent=3600s")
_HTTP = st.lists(
    one_of(
        *(
            'request="/ok"',
            'request="ok"',
            'receive="OK"',
            'receive="^T[a-z]+t"',
            'receive="nowhere"',
            'request="/gone"',
        ),
        *("httpmethod=GET", "httpmethod=head", "virtualhost=www.example.com", 'virtualhost="www.example.com"'),
        *('request="/empty"', 'request="index.html"', 'request="/ok?a=b"'),
    ),
    max_size=3,
).map(tuple)
_CHECKS = st.one_of(
    _HTTP.map(lambda lines: ("service=http", *lines)),
    _HTTP.map(lambda lines: ("service=http", "checktype=negotiate", *lines)),
    _HTTP.map(lambda lines: ("service=http", "checktype=3", *lines)),
    _HTTP.map(lambda lines: ("service=http", "checkport=80", *lines)),
    *[st.just(("checktype=connect",))] * 3,
    st.just(("service=none",)),
    st.just(("service=http_proxy", 'request="http://www.example.com/ok"', 'receive="OK"')),
    st.just(("checktype=connect", "checkport=8080")),
    st.just(("checktype=connect", "service=mysql")),
    st.just(("checktype=on",)),
    st.just(("checktype=off",)),
    st.just(("checktype=ping", "checktimeout=2")),
    st.just(("checktype=external", "checkcommand=/bin/true")),
    st.just(("checktype=external", 'checkcommand="/bin/false"')),
    st.just(("checktype=external-perl", f"checkcommand={_EXTERNAL_PERL}")),
)
_EXTRAS = st.lists(
    one_of(
        *("quiescent=yes", "quiescent=no", "quiescent=yes", "failurecount=2", "cleanstop=no", "negotiatetimeout=3"),
        *("checktimeout=3", "checkinterval=2", "checkcount=1", "fallbackcommand=/bin/true", "servicename=web one"),
        *(
            "comment=anything # at all",
            'load="x"',
            "emailalertfreq=0",
            "emailalertstatus=none",
            "smtp=10.0.0.1",
            "# comment",
        ),
        *(
            'login="me"',
            'passwd="secret"',
            'database="db"',
            'secret="x"',
            "ops=no",
            "emailalert=root@example.com # who",
        ),
    ),
    max_size=3,
).map(tuple)


@st.composite
def _server(draw: st.DrawFn, *, host: str, port: str, six: bool, marked: bool) -> str:
    name = "real6" if six else "real"
    own = draw(st.sampled_from([*[port] * 9, "80", "8080", "http", None, *[port] * 9]))
    if marked:
        own = draw(st.sampled_from([None, None, "80", "8080", "0"]))
    place = f"{f'[{host}]' if six else host}{f':{own}' if own is not None else ''}"
    settings = (draw(_METHODS), draw(_WEIGHTS), draw(_REQUESTS), draw(_THRESHOLDS))
    return f"{name}{draw(one_of('=', '=', ' = '))}{place} {''.join(settings)}"


@st.composite
def _fallback(draw: st.DrawFn, *, six: bool) -> tuple[str, ...]:
    if draw(st.integers(0, 2)):
        return ()
    method = draw(one_of("", "", " gate", " masq"))
    port = draw(one_of("", ":80", ":80", ":8080"))
    if six:
        return (f"fallback6=[::1]{port}{method}",)
    return (f"fallback={draw(st.sampled_from(_FALLBACK_HOSTS))}{port}{method}",)


def _heads(number: int) -> st.SearchStrategy[tuple[str, str]]:
    """The first line of the service with this number, and the port that it has (a mark has none)."""
    ports = one_of(
        "80", "80", "80", "80", "http", "8443", "3306", "www", "081", "8080", "mysql", "80", "80", "8080", "81", "80"
    )
    four = ports.map(lambda port: (f"virtual=10.9.0.{number}:{port}", port))
    udp = one_of("53", "domain").map(lambda port: (f"virtual = 10.9.0.{number}:{port}", port))
    six = ports.map(lambda port: (f"virtual6=[2001:db8:9::{number}]:{port}", port))
    marks = one_of(f"virtual={number}", f"virtual={number}", f"virtual6={number}").map(lambda head: (head, ""))
    return st.one_of(four, four, four, four, udp, six, marks)


@st.composite
def _blocks(draw: st.DrawFn, number: int, *, most: int) -> Block:
    head, port = draw(_heads(number))
    return Block(head=head, lines=draw(_bodies(head, port, most=most)))


@st.composite
def _bodies(draw: st.DrawFn, head: str, port: str, *, most: int) -> tuple[str, ...]:
    six, marked = head.startswith("virtual6"), not port
    hosts = SERVER_HOSTS6 if six else SERVER_HOSTS
    chosen = draw(st.lists(st.sampled_from(hosts), max_size=most, unique=True))
    if chosen and draw(st.integers(0, 39)) == 11:
        chosen.append(chosen[0])
    if not six and draw(st.integers(0, 9)) == 4:
        chosen.append(_RANGE)
    servers = [draw(_server(host=host, port=port, six=six, marked=marked)) for host in chosen]
    # ldirectord needs a module for HTTP over IPv6 that its package does not bring.
    check = (
        draw(st.sampled_from([("checktype=connect",), ("service=none",), ("checktype=on",)])) if six else draw(_CHECKS)
    )
    protocols = ["", "", "", "", "protocol=tcp", *(["protocol=udp"] if port.isdigit() else [])]
    protocol = draw(st.sampled_from(protocols)) if not marked and "domain" not in port else ""
    if marked and "checktype=connect" in check and "checkport=8080" not in check:
        check = (*check, "checkport=80")
    lines = [
        *servers,
        *check,
        *draw(st.one_of(st.just(()), _SCHEDULER)),
        *draw(st.one_of(st.just(()), st.just(()), st.tuples(_PERSISTENCE))),
        *draw(st.sampled_from([(), (), ("netmask=64",) if six else ("netmask=255.255.255.0",)])),
        *((protocol,) if protocol else ()),
        *(("ops=yes",) if draw(st.integers(0, 9)) == 5 else ()),
        *draw(_fallback(six=six)),
        *draw(_EXTRAS),
    ]
    order = draw(st.permutations(range(len(lines)))) if draw(st.booleans()) else range(len(lines))
    return tuple(lines[at] for at in order)


_TIMES = one_of("checktimeout=2", "checktimeout = 2", "negotiatetimeout=2")


@st.composite
def _files(draw: st.DrawFn, *, most: int) -> File:
    """A configuration that ldirectord takes."""
    count = draw(st.integers(1, most))
    return File(
        lines=(draw(_TIMES), *draw(st.lists(_GLOBAL, max_size=4))),
        blocks=tuple(draw(_blocks(number, most=most)) for number in range(1, count + 1)),
        indent=draw(one_of("    ", "\t", "      ", "\t\t")),
    )


@st.composite
def _changed(draw: st.DrawFn, file: File, *, most: int) -> File:
    """The next version of it: services changed, removed and added."""
    blocks = []
    for number, block in enumerate(file.blocks, start=1):
        match draw(st.sampled_from(["keep", "servers", "body", "drop", "move"])):
            case "keep":
                blocks.append(block)
            case "servers":
                kept = tuple(line for line in block.lines if not line.startswith("real") or draw(st.integers(0, 3)))
                blocks.append(replace(block, lines=kept))
            case "body":
                port = block.head.rpartition(":")[2] if ":" in block.head else ""
                blocks.append(replace(block, lines=draw(_bodies(block.head, port, most=most))))
            case "move":
                blocks.append(draw(_blocks(number + 10, most=most)))
    if draw(st.booleans()):
        blocks.append(draw(_blocks(20, most=most)))
    lines = file.lines if draw(st.booleans()) else (file.lines[0], *draw(st.lists(_GLOBAL, max_size=4)))
    return replace(file, blocks=tuple(blocks), lines=lines)


@st.composite
def stories(draw: st.DrawFn, *, most: int = 3) -> Story:
    """A configuration and its fate.  ``most``: lines with real servers in a service, and services."""
    before = draw(_files(most=most))
    by_signal = draw(st.booleans())
    if not by_signal:
        before = replace(before, lines=(*before.lines, "autoreload=yes"))
    return Story(
        before=before.text(),
        after=draw(_changed(before, most=most)).text(),
        down=draw(st.sampled_from(SERVER_HOSTS[:3])),
        down_at_reload=draw(st.booleans()),
        by_signal=by_signal,
    )

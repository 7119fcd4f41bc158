"""Files that are not generated: one for each difference that is meant to be, users' files, and ldirectord's sample."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from tests.differential.differences import services_of
from tests.differential.files import Story

DATA = Path(__file__).parents[1] / "data" / "ldirectord"
SAMPLE = Path("/usr/share/doc/ldirectord/examples/ldirectord.cf")


def _story(*lines: str, head: str = "virtual=10.9.0.1:80", around: tuple[str, ...] = ()) -> Story:
    return _unchanged("\n".join(["checktimeout=2", *around, head, *(f"    {line}" for line in lines), ""]).encode())


def _unchanged(text: bytes) -> Story:
    return Story(before=text, after=text, down="10.0.0.1", down_at_reload=False, by_signal=True)


_CONNECT = "checktype=connect"
_PLAIN = "real=10.0.0.2:80 masq 1"

CASES: dict[str, Story] = {
    "port-with-zeros": _story("real=10.0.0.1:080 gate 1", _PLAIN, _CONNECT, head="virtual=10.9.0.1:080"),
    "request-with-slash": _story('real=10.0.0.1:80 masq 1 "/gone", "OK"', _PLAIN, "service=http"),
    "threshold-alone": _story("real=10.0.0.1:80 masq 1 u:50 l:5", _PLAIN, _CONNECT),
    "real-without-port": _story("real=10.0.0.1 masq 1", _PLAIN, _CONNECT, "service=http"),
    "mapped-port": _story("real=10.0.0.1:8080 gate 1", _PLAIN, _CONNECT, "quiescent=yes"),
    "same-server-twice": _story("real=10.0.0.1:80 masq 1", "real=10.0.0.1:80 masq 7", _CONNECT),
    "ping-of-ipv6": _story("real6=[2001:db8::1]:80 masq 1", "checktype=ping", head="virtual6=[2001:db8:9::1]:80"),
    "global-fallback-of-a-mark": _story(
        "real=10.0.0.1 masq 1", _CONNECT, "checkport=80", head="virtual=7", around=("fallback=127.0.0.1:80",)
    ),
    "head-with-receive": _story(_PLAIN, "service=http", 'request="ok"', "httpmethod=HEAD", 'receive="OK"'),
    "checks-off": _story(_PLAIN, "checktype=off", "quiescent=yes"),
    "weight-zero-and-fallback": _story("real=10.0.0.1:80 masq 0", _CONNECT, "fallback=127.0.0.1:80"),
    "flag-of-another-scheduler": _story(_PLAIN, _CONNECT, "scheduler=wrr", "schedflags=sh-port"),
    "shared-server-at-start": _unchanged(
        b"quiescent=yes\n"
        b'virtual=10.9.0.1:80\n    real=10.0.0.2:80 masq\n    service=http\n    request="nowhere"\n'
        b'virtual=10.9.0.2:80\n    real=10.0.0.2:80 masq\n    service=http\n    request="elsewhere"\n'
    ),
    "directives-in-a-comment": _unchanged(
        b"# virtual=10.9.0.1:80 real=10.0.0.1:80 masq real=10.0.0.2:80 masq service=none scheduler=rr\n"
    ),
}
"""For each name of a difference, a story in which it occurs."""


def given_files() -> Iterator[tuple[str, bytes]]:
    """Users' files that ldirectord takes, and each block of its sample, by name."""
    for path in sorted(DATA.glob("*.cf")):
        yield path.stem, path.read_bytes()
    for number, block in enumerate(_sample_blocks(), start=1):
        yield f"sample-{number}", block


def story_of(text: bytes) -> Story:
    """What becomes of such a file: its first real server goes and comes back."""
    hosts = hosts_of(text)
    return Story(before=text, after=text, down=hosts[0] if hosts else "", down_at_reload=False, by_signal=True)


def hosts_of(text: bytes) -> tuple[str, ...]:
    """The addresses of the real servers, without the middle of ranges and what every host has anyway."""
    ends = (end for service in services_of(text) for real in service.reals for end in (real.first, real.last))
    found: dict[str, None] = {}
    for end in ends:
        with suppress(ValueError):
            address = ip_address((end or "").strip("[]"))
            if not address.is_loopback and not address.is_link_local:
                found[str(address)] = None
    return tuple(found)


def _sample_blocks() -> Iterator[bytes]:
    """Each block of the sample, switched on, with connections for checks: not every service is there to answer."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    starts = [at for at, line in enumerate(lines) if re.match(r"#?virtual6?\s*=", line)]
    for at in starts:
        body = []
        for line in lines[at + 1 :]:
            match = re.match(r"#?[ \t]+([a-z].*)", line)
            if match is None:
                break
            body.append(f"    {match[1]}\n")
        yield "".join(["checktimeout=2\n", lines[at].lstrip("#"), "\n", *body, "    checktype=connect\n"]).encode()

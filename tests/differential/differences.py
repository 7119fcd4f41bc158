"""The differences that are meant to be: each has a name, under which docs/ldirectord-differences.md explains it.

A difference is recognized by the rows in which two tables differ: it explains a row where the service's lines in the
file have in them what the difference is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "ldirectord-differences.md"
_DIRECTIVE = re.compile(r"([a-z_]+6?)\s*=\s*(.*)")
_REAL = re.compile(
    r"(?P<host>\[[^]]+\]|[^\s:>\[]+?)(?:->(?P<last>[^\s:]+))?(?::(?P<port>[\w-]+))?\s+(?P<method>\w+)(?P<rest>.*)"
)
_GLUED = re.compile(rb"^\s*#.*\bvirtual6?\s*=.*\breal6?\s*=", re.MULTILINE)
_PORTS = {"http": "80", "www": "80", "mysql": "3306", "domain": "53"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """A line ``real=`` as written; ``port`` None where none was."""

    first: str
    last: str | None
    port: str | None
    method: str
    rest: str

    def has(self, host: str) -> bool:
        """Whether the line stands for ``host``, alone or in a range."""
        if self.last is None:
            return self.first == host
        return ":" not in host and _number(self.first) <= _number(host) <= _number(self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a file says of one virtual service.  ``key``: how ``ipvsadm -S`` names it (``"-t 10.9.0.1:80"``)."""

    key: str
    port: str
    settings: Mapping[str, str]
    around: Mapping[str, str]
    reals: tuple[Real, ...]
    others: tuple[Real, ...] = ()
    """Those of the file's other services."""

    def get(self, name: str) -> str:
        """The service's own setting, else the global one, else nothing."""
        return self.settings.get(name, self.around.get(name, ""))

    @property
    def is_mark(self) -> bool:
        return self.key.startswith("-f")

    @property
    def six(self) -> bool:
        return "[" in self.key or self.key.endswith("-6")

    @property
    def fallback(self) -> str:
        """The fallback server's line."""
        return self.get("fallback6" if self.six else "fallback")

    def of(self, host: str) -> list[Real]:
        """The lines that stand for ``host``."""
        return [real for real in self.reals if real.has(host)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A destination in which two tables differ: its forwarding and weight in each, None where it is not there.

    ``host`` is empty for the service itself.
    """

    service: str
    host: str
    port: str
    theirs: str | None
    ours: str | None


Predicate = Callable[[Service, Row], bool]


def _zeros(service: Service, row: Row) -> bool:
    ports = [service.port, *(real.port or "" for real in service.reals)]
    return any(re.fullmatch("0[0-9]+", port) for port in ports)


def _slash(service: Service, row: Row) -> bool:
    return any(re.search(r'\s"/.*"[, ]\s*"', real.rest) for real in service.of(row.host))


def _thresholds(service: Service, row: Row) -> bool:
    return row.theirs is None and any(_refused_limits(real.rest) for real in service.of(row.host))


def _refused_limits(rest: str) -> bool:
    """Whether what ldirectord makes of ``l:`` and ``u:`` has the lower threshold above the upper one."""
    lower = re.search(r"\sl:(\d+)(.*)", rest)
    upper = lower and re.search(r"\su:(\d+)", lower[2])
    return lower is not None and int(lower[1]) > (int(upper[1]) if upper else 0)


def _strange_flag(service: Service, row: Row) -> bool:
    scheduler = re.match("[a-z]*", service.get("scheduler") or "wrr")
    owners = {flag.partition("-")[0] for flag in service.get("schedflags").split()[:1] for flag in flag.split(",")}
    return row.theirs is None and bool(owners - {"", "flag", scheduler and scheduler[0]})


def _portless(service: Service, row: Row) -> bool:
    return not service.is_mark and any(real.port is None and real.method == "masq" for real in service.of(row.host))


def _mapped(service: Service, row: Row) -> bool:
    own = _PORTS.get(service.port, service.port)
    return not service.is_mark and any(
        real.method in {"gate", "ipip"} and _PORTS.get(real.port or "", real.port) != own
        for real in service.of(row.host)
    )


def _duplicate(service: Service, row: Row) -> bool:
    return len(service.of(row.host)) > 1


def _ping_6(service: Service, row: Row) -> bool:
    check = service.get("checktype")
    return (
        service.six and bool(service.of(row.host)) and (check == "ping" or (check == "connect" and "-u" in service.key))
    )


def _mark_fallback(service: Service, row: Row) -> bool:
    own = {"fallback", "fallback6"} & service.settings.keys()
    return service.is_mark and not own and row.theirs is None and _is_fallback(service, row)


def _head(service: Service, row: Row) -> bool:
    return service.get("httpmethod").upper().startswith("HEAD") and bool(service.of(row.host))


def _weight_0(service: Service, row: Row) -> bool:
    return _is_fallback(service, row) and row.theirs is None and any(" 0" in real.rest[:3] for real in service.reals)


def _off(service: Service, row: Row) -> bool:
    return service.get("checktype") == "off"


def _shared(service: Service, row: Row) -> bool:
    shared = bool(service.of(row.host)) and any(real.has(row.host) for real in service.others)
    return shared and service.get("quiescent") == "yes" and row.theirs is None and "-w 0" in (row.ours or "")


EXPLAINED: Mapping[str, Predicate] = {
    "port-with-zeros": _zeros,
    "request-with-slash": _slash,
    "threshold-alone": _thresholds,
    "flag-of-another-scheduler": _strange_flag,
    "real-without-port": _portless,
    "mapped-port": _mapped,
    "same-server-twice": _duplicate,
    "ping-of-ipv6": _ping_6,
    "global-fallback-of-a-mark": _mark_fallback,
    "head-with-receive": _head,
    "checks-off": _off,
    "weight-zero-and-fallback": _weight_0,
    "shared-server-at-start": _shared,
}


def names_of_rows(files: Iterable[bytes], theirs: Iterable[str], ours: Iterable[str]) -> set[str]:
    """The names of the differences between two tables; "" is among them where a row has no explanation.

    ``files``: the configuration in force, and the one before it.
    """
    texts = tuple(files)
    services = [service for text in texts for service in services_of(text)]
    rows = rows_of(theirs, ours)
    names: set[str] = set()
    for row in rows:
        found = _names(row, services)
        if row.service not in {service.key for service in services} and any(map(_GLUED.search, texts)):
            found = {"directives-in-a-comment"}
        if not found and any(_is_fallback(service, row) for service in services if service.key == row.service):
            # It stands in for whoever the other rows are about.
            others = [other for other in rows if other.service == row.service and other != row]
            found = {name for other in others for name in _names(other, services)}
        names |= found or {""}
    return names


def names_of_problems(problems: Iterable[str]) -> set[str]:
    """The names of the differences for which lvs-agent does not take a file that ldirectord takes: there are none."""
    return {"" for _ in problems}


def documented() -> set[str]:
    """The names that the document explains."""
    return set(re.findall(r"^### `([a-z0-9-]+)`", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))


def _names(row: Row, services: Iterable[Service]) -> set[str]:
    return {
        name
        for service in services
        if service.key == row.service
        for name, explains in EXPLAINED.items()
        if explains(service, row)
    }


def rows_of(theirs: Iterable[str], ours: Iterable[str]) -> list[Row]:
    """The rows in which the lines of two tables differ."""
    left, right = _by_place(theirs), _by_place(ours)
    return [
        Row(service=key[0], host=key[1], port=key[2], theirs=left.get(key), ours=right.get(key))
        for key in sorted(left.keys() | right.keys())
        if left.get(key) != right.get(key)
    ]


def _by_place(lines: Iterable[str]) -> dict[tuple[str, str, str], str]:
    found = {}
    for line in lines:
        words = line.split()
        size = 4 if words[3:4] == ["-6"] else 3
        key, rest = " ".join(words[1:size]), words[size:]
        host, _, port = rest[1].rpartition(":") if line.startswith("-a") else ("", "", "")
        found[key, host, port] = " ".join(rest[2:] if host else rest)
    return found


def _is_fallback(service: Service, row: Row) -> bool:
    host = re.sub(r"(:\w+)?(\s.*)?$", "", service.fallback).replace("localhost", "127.0.0.1")
    return bool(host) and row.host == host


def _number(address: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in address.split("."))


# --- what a file says -------------------------------------------------------------------------------------------------


def services_of(text: bytes) -> list[Service]:
    """The virtual services of a file that ldirectord takes."""
    around: dict[str, str] = {}
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for line in text.decode("utf-8", "replace").splitlines():
        match = _DIRECTIVE.match(line.strip())
        if match is None or line.lstrip().startswith("#"):
            continue
        name, value = match[1], match[2]
        if name in {"virtual", "virtual6"}:
            found.append((f"{name}={value}", []))
        elif line[:1] in {" ", "\t"} and found:
            found[-1][1].append((name, value.partition("#")[0].strip()))
        else:
            around[name] = value.strip()
    services = [_service(head, lines, around) for head, lines in found]
    return [
        replace(one, others=tuple(real for other in services if other is not one for real in other.reals))
        for one in services
    ]


def _service(head: str, lines: list[tuple[str, str]], around: Mapping[str, str]) -> Service:
    name, _, value = head.partition("=")
    settings = dict(lines)
    reals = tuple(_real(match) for key, line in lines if key in {"real", "real6"} and (match := _REAL.search(line)))
    host, colon, port = value.split()[0].rpartition(":")
    if not colon:
        key = f"-f {re.match('[0-9]*', value)[0]}{' -6' if name == 'virtual6' else ''}"  # type: ignore[index]
        return Service(key=key, port="", settings=settings, around=around, reals=reals)
    protocol = settings.get("protocol", "udp" if port in {"53", "domain"} else "tcp")
    number = _PORTS.get(port, port).lstrip("0")
    key = f"{'-u' if protocol == 'udp' else '-t'} {host}:{number}"
    return Service(key=key, port=port, settings=settings, around=around, reals=reals)


def _real(match: re.Match[str]) -> Real:
    return Real(first=match["host"], last=match["last"], port=match["port"], method=match["method"], rest=match["rest"])

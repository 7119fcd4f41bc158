"""Which service or server a name means.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from lvs_agent.model.ipvs import AddressKey
from lvs_agent.view.inventory import KnownServer, KnownService

_NAMES_SHOWN = 20


class UnknownName(LookupError):
    """Nothing has this name; the message says which names there are."""


class AmbiguousName(LookupError):
    """More than one service has this name; the message says which."""


def find_service(services: Sequence[KnownService], wanted: str) -> KnownService:
    """The service that ``wanted`` means: its name, its key, or its address with or without a port.

    Raises UnknownName and AmbiguousName.
    """
    exact = [service for service in services if service.name == wanted or str(service.key) == wanted]
    loose = [service for service in services if wanted.lower() in _service_names(service)]
    found = exact or loose
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(service.name for service in found)
        raise AmbiguousName(f"{wanted!r} may mean any of the virtual services {names}")
    raise UnknownName(_unknown("virtual service", wanted, [service.name for service in services]))


def _service_names(service: KnownService) -> Iterator[str]:
    """Everything, in lower case, that may be written for a service besides its name and key."""
    yield service.name.lower()
    yield str(service.key).lower()
    if isinstance(service.key, AddressKey):
        yield str(service.key).partition("/")[2].lower()
        yield str(service.key.address)


def find_servers(service: KnownService, wanted: str) -> tuple[KnownServer, ...]:
    """The servers of ``service`` that ``wanted`` means: by name, by address and port, or by address alone.

    Raises UnknownName.
    """
    exact = tuple(server for server in service.servers if server.name == wanted or str(server.key) == wanted)
    if exact:
        return exact
    small = wanted.lower()
    found = tuple(
        server for server in service.servers if small in {server.name.lower(), str(server.key), str(server.key.address)}
    )
    if found:
        return found
    known = [server.name for server in service.servers]
    raise UnknownName(_unknown(f"real server of {service.name}", wanted, known))


def _unknown(what: str, wanted: str, known: list[str]) -> str:
    near = get_close_matches(wanted[:100], known, n=3, cutoff=0.6)
    meant = f"; did you mean {' or '.join(near)}?" if near else f"; {known_names(what, known)}"
    return f"there is no {what} {wanted[:100]!r}{meant}"


def known_names(what: str, known: list[str]) -> str:
    """``known are shop, mail``: what may be written instead of a name that is missing or not known."""
    if not known:
        return f"no {what} is known"
    more = f" and {len(known) - _NAMES_SHOWN} more" if len(known) > _NAMES_SHOWN else ""
    return f"known are {', '.join(known[:_NAMES_SHOWN])}{more}"

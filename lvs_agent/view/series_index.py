"""The index of the column store: every service and server with its name, its labels and its place in the columns.

An index holds what only the configuration and the set of rows in the kernel say.  It is kept from one scrape to the
next, because these rarely change: joining, naming and labelling ten thousand servers anew takes longer than writing
everything that a scrape shows of them.  Everything that may differ between two scrapes is in ``columns``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from threading import Lock
from typing import Generic, TypeVar, cast

from lvs_agent.model.check import CheckId, CheckSpec
from lvs_agent.model.intent import Intent, RealServer, VirtualService
from lvs_agent.model.ipvs import DestinationKey, ServiceKey, Table

_K = TypeVar("_K")
_V = TypeVar("_V")
_T = TypeVar("_T")


class AlignedLookup(Generic[_K]):
    """Looks up the same keys in one mapping after another, from any thread.

    It remembers where the keys were in the last mapping.  A mapping with the same keys in the same order is not
    searched: hashing two keys with addresses takes longer than everything else that is done for a server.
    """

    __slots__ = ("_last", "_wanted")

    def __init__(self, wanted: Sequence[_K]) -> None:
        self._wanted = wanted
        self._last: tuple[list[_K], list[int]] = ([], [-1] * len(wanted))

    def values_in(self, mapping: Mapping[_K, _V]) -> list[_V | None]:
        """The value of each wanted key in the order of the keys, None where there is none."""
        keys = list(mapping)
        last_keys, places = self._last  # read and replaced whole: another thread may look up at the same time
        if keys != last_keys:
            place_of = {key: place for place, key in enumerate(keys)}
            places = [place_of.get(key, -1) for key in self._wanted]
            self._last = (keys, places)
        values: list[_V | None] = [*mapping.values(), None]  # a place of -1 is the last one
        return [values[place] for place in places]


class ServiceIndex:
    """The part of the index for one service.

    ``names``, ``keys``, ``real_servers``, ``sorry_servers`` and ``checks`` have one entry for each server, in the same
    order; ``real_servers`` and ``sorry_servers`` have None where none is configured.  ``hidden`` counts servers that
    are left out because one before them has the same name.
    """

    __slots__ = (
        "checks",
        "configured",
        "hidden",
        "key",
        "keys",
        "name",
        "names",
        "placements",
        "present",
        "real_servers",
        "rows",
        "sorry_servers",
    )

    def __init__(self, key: ServiceKey, configured: VirtualService | None, present: list[DestinationKey]) -> None:
        self.key = key
        self.configured = configured
        self.present = present
        self.name = configured.name if configured else str(key)
        sorry = configured.sorry_server if configured else None
        named: dict[str, tuple[DestinationKey, RealServer | None]] = {}
        self.hidden = 0
        for server_key, server in _server_keys(configured, present):
            name = server.name if server else str(server_key)
            self.hidden += name in named
            named.setdefault(name, (server_key, server))
        self.names = list(named)
        self.keys = [server_key for server_key, _ in named.values()]
        self.real_servers = [server for _, server in named.values()]
        self.sorry_servers = [sorry if sorry and sorry.key == server_key else None for server_key in self.keys]
        self.checks: list[tuple[CheckId, ...]] = [server.all_checks if server else () for server in self.real_servers]
        self.rows: AlignedLookup[DestinationKey] = AlignedLookup(self.keys)
        self.placements: AlignedLookup[DestinationKey] = AlignedLookup(self.keys)

    def is_current(self, configured: VirtualService | None, present: list[DestinationKey]) -> bool:
        """Whether the index of a service that is configured and in the table like this is the same."""
        return self.configured is configured and self.present == present

    def has_same_servers(self, other: ServiceIndex) -> bool:
        """Whether both index the same servers, as when a configured server was added to or removed from the table."""
        return self.configured is other.configured and self.keys == other.keys and self.hidden == other.hidden


def _server_keys(
    configured: VirtualService | None, present: list[DestinationKey]
) -> Iterator[tuple[DestinationKey, RealServer | None]]:
    """Real servers, then the sorry server, then rows that are not configured: of one name, the first counts."""
    wanted: dict[DestinationKey, RealServer | None] = {}
    if configured:
        wanted = {server.key: server for server in configured.real_servers}
        if configured.sorry_server:
            wanted.setdefault(configured.sorry_server.key, None)
    yield from wanted.items()
    yield from ((key, None) for key in present if key not in wanted)


class SeriesIndex:
    """All services and all their servers, each name once, configured ones first.

    ``services`` and ``service_labels`` have one entry for each service, the other lists one for each server, service by
    service; ``spans`` has the slice of these that belongs to each service.  ``hidden`` counts services and servers that
    are left out because one before them has the same name.
    """

    def __init__(self, intent: Intent, services: Sequence[ServiceIndex]) -> None:
        named: dict[str, ServiceIndex] = {}
        for service in services:
            named.setdefault(service.name, service)
        self.intent = intent
        self.services = list(named.values())
        self.hidden = len(services) - len(named) + sum(service.hidden for service in services)
        self.service_labels = [(service.name,) for service in self.services]
        self.server_labels = [(service.name, name) for service in self.services for name in service.names]
        self.server_keys = _joined(service.keys for service in self.services)
        self.real_servers = _joined(service.real_servers for service in self.services)
        self.sorry_servers = _joined(service.sorry_servers for service in self.services)
        self.checks = _joined(service.checks for service in self.services)
        ends = [0, *accumulate(len(service.keys) for service in self.services)]
        self.spans = [slice(start, end) for start, end in pairwise(ends)]
        keys = [service.key for service in self.services]
        pairs = [(service.key, key) for service in self.services for key in service.keys]
        self.entries: AlignedLookup[ServiceKey] = AlignedLookup(keys)
        self.counters: AlignedLookup[ServiceKey] = AlignedLookup(keys)
        self.pools: AlignedLookup[ServiceKey] = AlignedLookup(keys)
        self.conditions: AlignedLookup[ServiceKey] = AlignedLookup(keys)
        self.counted: AlignedLookup[tuple[ServiceKey, DestinationKey]] = AlignedLookup(pairs)
        self.statuses: AlignedLookup[tuple[ServiceKey, DestinationKey]] = AlignedLookup(pairs)
        self._derived: dict[object, object] = {}

    def derived(self, make: Callable[[SeriesIndex], _T]) -> _T:
        """The result of ``make``, a function of a module, for this index; it is called once."""
        if make not in self._derived:
            self._derived[make] = make(self)
        return cast("_T", self._derived[make])

    def specs(self, place: int) -> tuple[CheckSpec, ...]:
        """The checks of the server at ``place``."""
        return tuple(self.intent.checks[check] for check in self.checks[place])


def _joined(lists: Iterable[Sequence[_T]]) -> list[_T]:
    return list(chain.from_iterable(lists))


class IndexCache:
    """Makes indexes, and keeps the last one as long as it is current.  May be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._services: dict[ServiceKey, ServiceIndex] = {}
        self._last: SeriesIndex | None = None

    def of(self, intent: Intent, table: Table) -> SeriesIndex:
        """The index of ``intent`` and ``table``; the same object as before where nothing in it has changed."""
        with self._lock:
            return self._update(intent, table)

    def _update(self, intent: Intent, table: Table) -> SeriesIndex:
        entries = dict(table.entries)
        changed = False
        services: dict[ServiceKey, ServiceIndex] = {}
        configured = {service.service.key: service for service in intent.services}
        for key in (*configured, *(key for key in entries if key not in configured)):
            present = list(entries[key].destinations) if key in entries else []
            service = self._services.get(key)
            if service is None or not service.is_current(configured.get(key), present):
                fresh = ServiceIndex(key, configured.get(key), present)
                if service is not None and service.has_same_servers(fresh):
                    service.present = present
                else:
                    service, changed = fresh, True
            services[key] = service
        if self._last is None or changed or self._last.intent is not intent or len(services) != len(self._services):
            self._last = SeriesIndex(intent, list(services.values()))
        self._services = services
        return self._last

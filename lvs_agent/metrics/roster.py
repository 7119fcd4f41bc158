"""Who is on the page: services and servers, their names and places, and what only the configuration says of them.

A roster is worth keeping: from one scrape to the next it is the same, unless the configuration or the set of rows in
the kernel has changed.  Everything that may differ between two scrapes is in ``inventory``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import Generic, TypeVar, cast

from lvs_agent.model.check import CheckId, CheckSpec
from lvs_agent.model.intent import Intent, RealServer, VirtualService
from lvs_agent.model.ipvs import DestinationKey, ServiceKey, Table

_K = TypeVar("_K")
_V = TypeVar("_V")
_T = TypeVar("_T")


class Follower(Generic[_K]):
    """Looks up the same keys in one mapping after another.

    Where a mapping has the keys of the one before it in the same order, none is looked for: hashing two keys with
    addresses takes longer than everything else that is done for a server.
    """

    __slots__ = ("_keys", "_places", "_wanted")

    def __init__(self, wanted: Sequence[_K]) -> None:
        self._wanted = wanted
        self._keys: list[_K] = []
        self._places = [-1] * len(wanted)

    def follow(self, mapping: Mapping[_K, _V]) -> list[_V | None]:
        """The value of each wanted key, None where there is none."""
        keys = list(mapping)
        if keys != self._keys:
            places = {key: place for place, key in enumerate(keys)}
            self._places = [places.get(key, -1) for key in self._wanted]
            self._keys = keys
        values: list[_V | None] = [*mapping.values(), None]  # a place of -1 is the last one
        return [values[place] for place in self._places]


class Roll:
    """One service on the roster.

    ``real_servers`` and ``sorry_servers`` stand beside ``keys``: what is configured there, None where nothing is.
    ``hidden`` counts servers that are left out because one before them has the same name.
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
        self.rows: Follower[DestinationKey] = Follower(self.keys)
        self.placements: Follower[DestinationKey] = Follower(self.keys)

    def still_right(self, configured: VirtualService | None, present: list[DestinationKey]) -> bool:
        """Whether a new one would be the same."""
        return self.configured is configured and self.present == present

    def has_same_servers(self, other: Roll) -> bool:
        """Whether only rows have come or gone of servers that are configured, as when one of them goes down."""
        return self.configured is other.configured and self.keys == other.keys and self.hidden == other.hidden


def _server_keys(
    configured: VirtualService | None, present: list[DestinationKey]
) -> Iterator[tuple[DestinationKey, RealServer | None]]:
    """Real servers, then the sorry server, then what nobody configured: of one name, the first counts."""
    wanted: dict[DestinationKey, RealServer | None] = {}
    if configured:
        wanted = {server.key: server for server in configured.real_servers}
        if configured.sorry_server:
            wanted.setdefault(configured.sorry_server.key, None)
    yield from wanted.items()
    yield from ((key, None) for key in present if key not in wanted)


class Roster:
    """All services and all their servers, each name once, configured ones first.

    Lists about services stand beside ``rolls``, lists about servers beside each other, service by service; ``spans``
    says which of them belong to which service.  ``hidden`` counts services and servers that are left out because one
    before them has the same name.
    """

    def __init__(self, intent: Intent, rolls: Sequence[Roll]) -> None:
        named: dict[str, Roll] = {}
        for roll in rolls:
            named.setdefault(roll.name, roll)
        self.intent = intent
        self.rolls = list(named.values())
        self.hidden = len(rolls) - len(named) + sum(roll.hidden for roll in rolls)
        self.service_labels = [(roll.name,) for roll in self.rolls]
        self.server_labels = [(roll.name, name) for roll in self.rolls for name in roll.names]
        self.server_keys = _joined(roll.keys for roll in self.rolls)
        self.real_servers = _joined(roll.real_servers for roll in self.rolls)
        self.sorry_servers = _joined(roll.sorry_servers for roll in self.rolls)
        self.checks = _joined(roll.checks for roll in self.rolls)
        ends = [0, *accumulate(len(roll.keys) for roll in self.rolls)]
        self.spans = [slice(start, end) for start, end in pairwise(ends)]
        keys = [roll.key for roll in self.rolls]
        pairs = [(roll.key, key) for roll in self.rolls for key in roll.keys]
        self.entries: Follower[ServiceKey] = Follower(keys)
        self.counters: Follower[ServiceKey] = Follower(keys)
        self.pools: Follower[ServiceKey] = Follower(keys)
        self.counted: Follower[tuple[ServiceKey, DestinationKey]] = Follower(pairs)
        self.statuses: Follower[tuple[ServiceKey, DestinationKey]] = Follower(pairs)
        self._kept: dict[object, object] = {}

    def keep(self, make: Callable[[Roster], _T]) -> _T:
        """What ``make``, a function of a module, makes of this roster; made once."""
        if make not in self._kept:
            self._kept[make] = make(self)
        return cast("_T", self._kept[make])

    def specs(self, place: int) -> tuple[CheckSpec, ...]:
        """The checks of the server at ``place``."""
        return tuple(self.intent.checks[check] for check in self.checks[place])


def _joined(lists: Iterable[Sequence[_T]]) -> list[_T]:
    return list(chain.from_iterable(lists))


class Rosters:
    """Gives the roster of an intent and a table; what is still right of the last one stays.  For one thread."""

    def __init__(self) -> None:
        self._rolls: dict[ServiceKey, Roll] = {}
        self._last: Roster | None = None

    def of(self, intent: Intent, table: Table) -> Roster:
        """The roster of ``intent`` and ``table``."""
        entries = dict(table.entries)
        changed = False
        rolls: dict[ServiceKey, Roll] = {}
        configured = {service.service.key: service for service in intent.services}
        for key in (*configured, *(key for key in entries if key not in configured)):
            present = list(entries[key].destinations) if key in entries else []
            roll = self._rolls.get(key)
            if roll is None or not roll.still_right(configured.get(key), present):
                fresh = Roll(key, configured.get(key), present)
                if roll is not None and roll.has_same_servers(fresh):
                    roll.present = present
                else:
                    roll, changed = fresh, True
            rolls[key] = roll
        if self._last is None or changed or self._last.intent is not intent or len(rolls) != len(self._rolls):
            self._last = Roster(intent, list(rolls.values()))
        self._rolls = rolls
        return self._last

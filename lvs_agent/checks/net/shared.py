"""What probes share within one event loop (the poller, ping sockets, the command runner): made when first wanted.

``Engine.run`` ends by closing all of it, so the daemon need not know what there is.  Who calls probes without an
engine calls ``close_shared`` himself.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar
from weakref import WeakKeyDictionary


class Shareable(Protocol):
    """Something that serves every probe of one loop.  It is made on that loop, without arguments."""

    async def close(self) -> None:
        """Give everything back; probes that still wait on it are cancelled before."""


Thing = TypeVar("Thing", bound=Shareable)

_things: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[type[Shareable], Shareable]] = WeakKeyDictionary()


def shared(kind: type[Thing]) -> Thing:
    """The one ``kind`` of the running loop."""
    things = _things.setdefault(asyncio.get_running_loop(), {})
    thing = things.get(kind)
    if not isinstance(thing, kind):
        thing = things[kind] = kind()
    return thing


def provide(thing: Shareable) -> None:
    """Let ``thing`` be the one of its kind for the running loop, for who wants it otherwise than made by default.

    To be called before the first probe runs.
    """
    _things.setdefault(asyncio.get_running_loop(), {})[type(thing)] = thing


async def close_shared() -> None:
    """Close everything that the running loop's probes share.  The next probe makes it anew."""
    things = _things.pop(asyncio.get_running_loop(), {})
    while things:
        _, thing = things.popitem()
        await thing.close()

"""Entries that become due, grouped in slots, so that a thousand timers cost as much as fifty."""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar

SLOT_S = 0.02
"""Length of a slot in seconds: nothing is handled early, or by design more than this late.

Each slot wakes the process once, and by then other programs have replaced its data in the processor's caches:
docs/adr/0008.
"""

Entry = TypeVar("Entry")


class SlotWheel(Generic[Entry]):
    """Entries by the slot in which they become due.  An entry cannot be removed; its owner ignores a stale one."""

    __slots__ = ("_entries", "_slots")

    def __init__(self) -> None:
        self._entries: dict[int, list[Entry]] = {}
        self._slots: list[int] = []

    def add(self, entry: Entry, *, at: float) -> None:
        """Make ``entry`` due at the end of the slot that ``at`` (seconds) lies in."""
        slot = math.ceil(at / SLOT_S)
        entries = self._entries.get(slot)
        if entries is None:
            self._entries[slot] = [entry]
            heapq.heappush(self._slots, slot)
        else:
            entries.append(entry)

    def next_at(self) -> float | None:
        """The time at which the next slot is due, or None if there is none."""
        return self._slots[0] * SLOT_S if self._slots else None

    def take(self, *, until: float) -> list[Entry]:
        """Remove and return every entry of the slots that are due at ``until``, earliest slot first."""
        taken: list[Entry] = []
        while self._slots and self._slots[0] * SLOT_S <= until:
            taken.extend(self._entries.pop(heapq.heappop(self._slots)))
        return taken

    def waiting(self, *, until: float) -> int:
        """Number of entries in slots that are due at ``until``.  May be called from any thread."""
        due = [slot for slot in tuple(self._slots) if slot * SLOT_S <= until]
        return sum(len(self._entries.get(slot, ())) for slot in due)

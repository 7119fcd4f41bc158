"""Entries that become due, grouped in slots, so that a thousand timers cost what fifty do."""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar

SLOT_S = 0.02
"""Length of a slot in seconds: nothing is handled early, and nothing later than this by design.

Each slot wakes the process once, when other programs have replaced its data in the processor's caches: docs/adr/0008.
"""

Entry = TypeVar("Entry")


class SlotWheel(Generic[Entry]):
    """Entries by the slot in which they become due.  An entry cannot be taken out: its owner knows when it is stale."""

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
        """When the next slot is due, or None where there is none."""
        return self._slots[0] * SLOT_S if self._slots else None

    def take(self, *, until: float) -> list[Entry]:
        """Every entry of the slots that are due at ``until``, earliest slot first; they leave the wheel."""
        taken: list[Entry] = []
        while self._slots and self._slots[0] * SLOT_S <= until:
            taken.extend(self._entries.pop(heapq.heappop(self._slots)))
        return taken

    def waiting(self, *, until: float) -> int:
        """How many entries of the slots that are due at ``until`` were not taken yet.  Any thread may ask."""
        due = [slot for slot in tuple(self._slots) if slot * SLOT_S <= until]
        return sum(len(self._entries.get(slot, ())) for slot in due)

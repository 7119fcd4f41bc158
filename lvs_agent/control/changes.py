"""Changes that readers in other threads see completely or not at all, without a lock.

The writer increments a counter when it starts and when it has finished.  If a reader finds the same even number before
and after it copies, the copy is consistent.  So the loop never waits for readers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

_Copy = TypeVar("_Copy")

_PAUSE_S = 0.0005
"""Seconds that a reader waits for a change in progress: about as long as a change takes."""


class Changes:
    """Use ``with changes:`` around each change, only in the thread that made this object.

    Raises RuntimeError if another thread makes a change, or if one change starts inside another.
    """

    def __init__(self) -> None:
        self._owner = threading.get_ident()
        self._count = 0

    def __enter__(self) -> None:
        if threading.get_ident() != self._owner:
            raise RuntimeError("the state is changed by the loop's thread only")
        if self._count % 2:
            raise RuntimeError("a change of the state cannot start inside another one")
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._count += 1

    def read(self, copy: Callable[[], _Copy]) -> _Copy:
        """Return what ``copy`` returns, without a change during the copy.  May be called from any thread.

        ``copy`` is repeated until no change interferes, so it must be short.
        """
        while True:
            before = self._count
            if before % 2 == 0:
                copied = copy()
                if self._count == before:
                    return copied
            if threading.get_ident() == self._owner:
                raise RuntimeError("the state cannot be read inside a change of it")
            time.sleep(_PAUSE_S)

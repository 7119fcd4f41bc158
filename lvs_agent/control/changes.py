"""Changes that readers in other threads see whole, or not at all, without a lock.

A writer counts when it starts and when it has finished.  A reader that finds the same even number before and after its
copying has copied one moment.  So the loop never waits for a reader, however many of them there are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

_Copy = TypeVar("_Copy")

_PAUSE_S = 0.0005
"""How long a reader waits for a change that is under way: about as long as one takes."""


class Changes:
    """``with changes:`` around each change, on the thread that made this object and on no other.

    Raises RuntimeError where another thread changes something, or if one change starts inside another.
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
        """What ``copy`` returns of one moment; may be called from any thread.  ``copy`` is called until it succeeds,
        so it should take a few steps only.
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

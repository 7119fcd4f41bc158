"""How the last call of a check went: it decides the order in which checks get the few slots that they share."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Doubt:
    """``hangs``: the last call had not ended when it was cancelled.  ``began_at``: when the last call got its slot, in
    seconds of the monotonic clock; minus infinity before the first.
    """

    hangs: bool = False
    began_at: float = -math.inf

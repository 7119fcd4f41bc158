"""The real ldirectord, for tests that compare with it."""

from __future__ import annotations

from tests.differential.oracle import oracle

__all__ = ["oracle"]

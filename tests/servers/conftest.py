"""What tests with real servers share with those of the checkers."""

from __future__ import annotations

from tests.checks.conftest import certificates

__all__ = ["certificates"]

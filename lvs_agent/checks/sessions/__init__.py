"""What checkers do by way of a client library: one module each, which the checker names among its ``libraries``.

Looking for checkers imports every module beside them, so these have a package of their own.
"""

from __future__ import annotations

from lvs_agent.model.check import Errored, ErrorReason


def missing(extra: str, problem: ImportError) -> Errored:
    """What a probe says whose module cannot be imported, because ``extra`` is not installed."""
    return Errored(ErrorReason.FILE_MISSING, f"install lvs-agent[{extra}]: {problem}")

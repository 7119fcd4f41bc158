"""What nobody foresaw in a configuration is a refusal like any other: no file may end the agent.

Whoever reads a configuration, or puts one in force, does it inside ``unexpected_is_refused``.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lvs_agent.errors import ConfigError, InternalConfigError, Problem

_REMEDY = "this is a bug in lvs-agent: please report it with the file, and undo the last change of the file"


@contextmanager
def unexpected_is_refused(path: Path) -> Iterator[None]:
    """Let everything but a ConfigError that is raised inside become an InternalConfigError about the file ``path``."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        raise InternalConfigError([Problem(str(path), f"internal error: {_described(error)}; {_REMEDY}")]) from error


def _described(error: Exception) -> str:
    """The error in one line, with the place in our own code that it came from."""
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is the one of this module
    ours = [frame for frame in frames if "lvs_agent" in frame.filename]
    return f"{said} ({Path(ours[-1].filename).name}, line {ours[-1].lineno})" if ours else said

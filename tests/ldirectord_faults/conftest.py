"""An ldirectord.cf for the whole agent to run with, and what it needs around it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.checks.conftest import certificates
from tests.differential.oracle import oracle
from tests.ldirectord_faults.site import Site
from tests.process.conftest import config, real_servers, shared_directory, start

__all__ = ["certificates", "config", "oracle", "real_servers", "shared_directory", "start"]

STATE = Path("/var/lib/lvs-agent")

StartSites = Callable[..., Site]


class CfFile:
    """An ldirectord.cf with a name that no other test has, because the agent keeps its state under it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / f"{directory.name}-{os.getpid()}.cf"

    def write(self, text: str) -> Path:
        """Put ``text`` into the file, as an editor does: beside it, then renamed.  Lines may be indented as one."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(self.path)
        return self.path

    def forget(self) -> None:
        """Remove what outlives the agent."""
        shutil.rmtree(STATE / self.path.name, ignore_errors=True)


@pytest.fixture
def cf(tmp_path: Path) -> Iterator[CfFile]:
    """A file to be written."""
    file = CfFile(tmp_path)
    yield file
    file.forget()


@pytest.fixture
def sites() -> Iterator[StartSites]:
    """Starts web servers of which a test decides every answer; they end with it."""
    with ExitStack() as stack:

        def one(*arguments: Any, **options: Any) -> Site:
            return stack.enter_context(Site(*arguments, **options))

        yield one

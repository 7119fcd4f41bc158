"""One ldirectord.cf on its way to TOML: what is written, what is secret in it, and whether it still means the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lvs_agent.config.check_sets import Checkers
from lvs_agent.config.schema.agent import AgentTable
from lvs_agent.config.schema.keys import paths_in
from lvs_agent.config.schema.tables import VirtualServiceTable
from lvs_agent.ldirectord.convert.compact import compact
from lvs_agent.ldirectord.convert.notes import Note, Notes, notes
from lvs_agent.ldirectord.convert.passwords import Written, moved_place, secrets_in, with_files
from lvs_agent.ldirectord.convert.toml import to_toml
from lvs_agent.ldirectord.reader import Reading
from lvs_agent.settings.strict import Strict


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What is to be written.  ``secrets`` are those that stand in ``tables``."""

    tables: Mapping[str, Any]
    notes: Notes
    secrets: tuple[Written, ...]

    def toml(self, *, secrets_dir: Path | None = None) -> str:
        """The TOML; with ``secrets_dir`` each secret is named by its file there, instead of being written."""
        if secrets_dir is None:
            return to_toml(self.tables, notes=self.notes)
        moved = {moved_place(place, self.secrets): note for place, note in self.notes.items()}
        return to_toml(with_files(self.tables, self.secrets, directory=secrets_dir), notes=moved)


def conversion(reading: Reading, *, content: bytes, file: str, base: Path, checkers: Checkers) -> Conversion:
    """The conversion of ``reading``, which was made of the ``content`` of ``file`` in the directory ``base``.

    Its tables must be free of errors.
    """
    lines = [line.decode(errors="replace") for line in content.split(b"\n" if b"\n" in content else b"\r")]
    tables = compact(_anchored(reading.tables, base), checkers=checkers)
    found = notes(reading, tables, lines=lines, file=file)
    head = Note((f"Made of {file} by lvs-agent convert.", *found.get((), Note()).before))
    return Conversion(tables=tables, notes={**found, (): head}, secrets=secrets_in(tables, checkers=checkers))


def _anchored(tables: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """``tables`` with absolute paths: relative ones start at the directory of a file that the TOML may not be in."""
    anchored = {**tables, "agent": _with_absolute(tables.get("agent", {}), AgentTable, base)}
    if "virtual_service" in tables:
        anchored["virtual_service"] = [
            _with_absolute(each, VirtualServiceTable, base) for each in tables["virtual_service"]
        ]
    return anchored


def _with_absolute(table: Mapping[str, Any], model: type[Strict], base: Path) -> dict[str, Any]:
    return {key: str(base / value) if key in paths_in(model) else value for key, value in table.items()}

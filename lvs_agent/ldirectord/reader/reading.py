"""Reads an ldirectord.cf: bytes to lines, lines to a document, the document to tables, and all that is to be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType

from lvs_agent.config.findings import Location
from lvs_agent.errors import ConfigError, Problem
from lvs_agent.ldirectord.reader.addresses import Resolver
from lvs_agent.ldirectord.reader.alerts import alert_settings
from lvs_agent.ldirectord.reader.blocks import Document, read_blocks
from lvs_agent.ldirectord.reader.directives import Directive, Support
from lvs_agent.ldirectord.reader.document import AlertSettings, Reading
from lvs_agent.ldirectord.reader.lines import read_lines
from lvs_agent.ldirectord.reader.names import Names, SystemNames
from lvs_agent.ldirectord.reader.notes import Notes, Oddity
from lvs_agent.ldirectord.reader.servers import MOST_IN_FILE, Servers
from lvs_agent.ldirectord.reader.settings import Globals, read_globals
from lvs_agent.ldirectord.reader.tables import global_tables, service_key, service_table
from lvs_agent.ldirectord.reader.tree import Table, flattened
from lvs_agent.ldirectord.reader.values import Placed, Values
from lvs_agent.ldirectord.reader.virtuals import Virtual, read_virtual
from lvs_agent.model.ipvs import ServiceKey
from lvs_agent.one_line import one_line

STATE_DIR = PurePath("/var/lib/lvs-agent")
_LONGEST_NAME = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Understanding:
    """What could be understood of a file, and ``errors``, which say why that is not all of it."""

    reading: Reading
    errors: tuple[Problem, ...]


def understand(text: bytes, *, name: str, names: Names | None = None) -> Understanding:
    """As much of an ldirectord.cf as can be understood.

    ``name``: the file's base name, which its directory for what must survive a restart is called after.  ``names``: who
    looks names up; by default the system.
    """
    notes = Notes()
    document = read_blocks(read_lines(text, notes), notes=notes)
    _note_unsupported(document, notes)
    servers = Servers(resolver=Resolver(names or SystemNames(), notes), notes=notes, room=[MOST_IN_FILE])
    around = read_globals(Values(document.entries, notes), servers=servers, notes=notes)
    found = (read_virtual(block, around=around, servers=servers, notes=notes) for block in document.blocks)
    services = _named([virtual for virtual in found if virtual is not None], notes)
    tables: Table = dict(global_tables(around, state_dir=str(STATE_DIR / (PurePath(name).name or "ldirectord.cf"))))
    if services:
        made = [Placed(service_table(each.virtual, around=around, name=each.name, notes=notes), each.virtual.line)
                for each in services]  # fmt: skip
        tables["virtual_service"] = Placed(made, 0)
    places: dict[Location, int] = {}
    plain = flattened(Placed(tables, 0), at=(), places=places)
    alerts = _alerts(services, around, notes)
    reading = Reading(
        tables=plain,
        places=MappingProxyType(places),
        comments=MappingProxyType(_located(document.comments, places)),
        warnings=notes.warnings(),
        alerts=alerts,
        blocks=tuple(document.blocks),
    )
    return Understanding(reading=reading, errors=notes.errors())


@dataclass(frozen=True, slots=True)
class _Service:
    """A virtual service with its name, where it has one of its own."""

    virtual: Virtual
    key: ServiceKey
    name: Placed[str] | None


def _note_unsupported(document: Document, notes: Notes) -> None:
    """Tell of directives that do nothing here."""
    for entry in (*document.entries, *(entry for block in document.blocks for entry in block.entries)):
        if entry.directive.support in (Support.REPLACED, Support.IGNORED):
            notes.oddity(Oddity.WITHOUT_EFFECT, entry.line, _why_unsupported(entry.directive))


def _why_unsupported(directive: Directive) -> str:
    if directive.support is Support.IGNORED:
        return f"{directive.name} has no effect: {directive.why}"
    return f"{directive.name} has no effect here; instead: {directive.why}"


def _named(virtuals: Sequence[Virtual], notes: Notes) -> list[_Service]:
    """The virtual services without those that are there twice, each with the name that servicename gives it."""
    first: dict[ServiceKey, Virtual] = {}
    for virtual in virtuals:
        key = service_key(virtual)
        if key in first:
            text = f"the virtual service {key} is on line {first[key].line} already; merge the two"
            notes.error(virtual.line, text)
        elif key is not None:
            first[key] = virtual
    titles = {key: _title(virtual) for key, virtual in first.items()}
    count = Counter(title.value for title in titles.values() if title is not None)
    return [_Service(virtual, key, _unique(titles[key], key, count)) for key, virtual in first.items()]


def _title(virtual: Virtual) -> Placed[str] | None:
    found = virtual.values.text("servicename")
    if found is None:
        return None
    words = one_line(found.value, instead=" ").split()
    title = " ".join(words)[:_LONGEST_NAME].strip()
    return Placed(title, found.line) if title else None


def _unique(title: Placed[str] | None, key: ServiceKey, count: Mapping[str, int]) -> Placed[str] | None:
    if title is None or count[title.value] == 1:
        return title
    return Placed(f"{title.value} ({key})", title.line)


def _alerts(services: Sequence[_Service], around: Globals, notes: Notes) -> tuple[AlertSettings, ...]:
    found = (
        alert_settings(
            each.virtual.values, around.values, name=each.name.value if each.name else str(each.key), notes=notes
        )
        for each in services
    )
    return tuple(each for each in found if each is not None)


def _located(
    comments: Mapping[int, tuple[str, ...]], places: Mapping[Location, int]
) -> dict[Location, tuple[str, ...]]:
    """The comments of each line at the first place that the line has made; others go to the service, or to [agent]."""
    first: dict[int, Location] = {}
    for location, line in places.items():
        first.setdefault(line, location)
    blocks = sorted(line for line, location in first.items() if len(location) == 2)
    found: dict[Location, tuple[str, ...]] = {}
    for line, texts in sorted(comments.items()):
        at = () if line == 0 else first.get(line) or _around(line, blocks, first)
        found[at] = (*found.get(at, ()), *texts)
    return found


def _around(line: int, blocks: Sequence[int], first: Mapping[int, Location]) -> Location:
    before = [each for each in blocks if each < line]
    return first[before[-1]] if before and first[before[-1]][0] == "virtual_service" else ("agent",)


def read_ldirectord(text: bytes, *, name: str, names: Names | None = None) -> Reading:
    """An ldirectord.cf, read with all that people write.

    ``name``: the file's base name, which its directory for what must survive a restart is called after.  ``names``: who
    looks names up; by default the system.

    Raises ConfigError with every problem as "line N: problem".
    """
    understood = understand(text, name=name, names=names)
    if understood.errors:
        raise ConfigError(understood.errors)
    return understood.reading

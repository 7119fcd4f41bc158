"""From lines to a document: global directives, and virtual services with theirs.

ldirectord goes by indentation and ends a virtual service at the first line without it.  Here a directive belongs to
the virtual service above it where it can stand nowhere else, and where ldirectord would refuse the file otherwise.
Whatever ldirectord takes, means the same here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lvs_agent.ldirectord.reader.directives import Scope
from lvs_agent.ldirectord.reader.entries import Entry, Parts, glued_in_comment, parts_of
from lvs_agent.ldirectord.reader.lines import Indentation, Line
from lvs_agent.ldirectord.reader.notes import Notes, Oddity

_OPENERS = frozenset({"virtual", "virtual6"})


@dataclass(frozen=True, slots=True)
class Block:
    """A virtual service as written: the directive that begins it, and its others in order."""

    opener: Entry
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Document:
    """A file as written.  ``comments``: by the line of the directive that they belong to; 0 for the file's head."""

    entries: list[Entry]
    blocks: list[Block]
    comments: Mapping[int, tuple[str, ...]]


def read_blocks(lines: Sequence[Line], *, notes: Notes) -> Document:
    """The document that ``lines`` are.  What belongs nowhere is an error in ``notes``."""
    parts = [parts_of(line, notes=notes) for line in lines]
    if not any(part.entries for part in parts):
        found = [glued_in_comment(line, notes=notes) for line in lines]
        parts = [glued or part for glued, part in zip(found, parts, strict=True)]
    reader = _Reader(notes)
    for line, part, claims in zip(lines, parts, _claims_ahead(lines, parts), strict=True):
        reader.take(line, part, claims_ahead=claims)
    return reader.document()


def _claims_ahead(lines: Sequence[Line], parts: Sequence[Parts]) -> list[bool]:
    """For each line, whether the next one that tells for sure belongs to a virtual service that began before it."""
    claims, ahead = [], False
    for line, part in zip(reversed(lines), reversed(parts), strict=True):
        claims.append(ahead)
        if part.entries:
            sure = _claims(part.entries[0], indented=bool(line.blanks))
            ahead = ahead if sure is None else sure
    return claims[::-1]


def _claims(entry: Entry, *, indented: bool) -> bool | None:
    """Whether a directive must belong to a virtual service; None for one that may stand anywhere."""
    if entry.directive.name in _OPENERS or entry.directive.scope is Scope.GLOBAL:
        return False
    return True if entry.directive.scope is Scope.VIRTUAL or indented else None


class _Reader:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._entries: list[Entry] = []
        self._blocks: list[Block] = []
        self._comments = _Comments()
        self._gap = False
        self._loose = False

    def take(self, line: Line, parts: Parts, *, claims_ahead: bool) -> None:
        """The next line of the file."""
        if not line.plain:
            self._gap = True
            self._comments.empty_line()
        elif not parts.entries:
            self._comments.alone(parts.comment)
        for entry in parts.entries:
            self._place(entry, line=line, first=entry is parts.entries[0], claims_ahead=claims_ahead)
        if parts.entries:
            home = self._blocks[-1].opener.line if self._blocks else parts.entries[0].line
            self._comments.directive(parts.entries[0].line, home=home, behind=parts.comment)

    def document(self) -> Document:
        return Document(self._entries, self._blocks, self._comments.finished())

    def _place(self, entry: Entry, *, line: Line, first: bool, claims_ahead: bool) -> None:
        if entry.directive.name in _OPENERS:
            self._blocks.append(Block(entry))
            self._gap = self._loose = False
            if line.blanks and first:
                self._notes.oddity(Oddity.INDENTED, entry.line)
        elif self._belongs(entry, line=line, first=first, claims_ahead=claims_ahead):
            self._into_block(entry, line=line, first=first)
        else:
            self._into_file(entry, line=line, first=first)

    def _belongs(self, entry: Entry, *, line: Line, first: bool, claims_ahead: bool) -> bool:
        """Whether ``entry`` is part of the virtual service above it."""
        sure = _claims(entry, indented=bool(line.blanks) or (not first and bool(self._blocks)))
        if not self._blocks and (sure is None or entry.directive.scope is Scope.BOTH):
            return False
        if sure is not None or claims_ahead or not self._loose:
            return claims_ahead if sure is None else sure
        if self._gap:
            name = entry.directive.name
            text = f"{name} is read as the global one: an empty line is before it; indent it if it is not"
            self._notes.warning(entry.line, text)
        return not self._gap

    def _into_block(self, entry: Entry, *, line: Line, first: bool) -> None:
        if not self._blocks:
            text = (
                f"{entry.directive.name} belongs to a virtual service; write virtual=ADDRESS:PORT on a line before it"
            )
            self._notes.error(entry.line, text)
            return
        self._blocks[-1].entries.append(entry)
        if not first:
            return
        gap, self._gap = self._gap, False
        if line.indentation is Indentation.NONE:
            self._loose = True
            self._notes.oddity(Oddity.NOT_INDENTED, entry.line)
        elif gap:
            self._notes.oddity(Oddity.GAP, entry.line)
        elif line.indentation is Indentation.TOO_LITTLE:
            self._notes.oddity(Oddity.INDENTATION, entry.line)

    def _into_file(self, entry: Entry, *, line: Line, first: bool) -> None:
        self._entries.append(entry)
        if line.blanks and first:
            self._notes.oddity(Oddity.INDENTED, entry.line)
        if self._blocks:
            self._gap = True


class _Comments:
    """Gives comments to the directive below them, and those that end a virtual service to that."""

    def __init__(self) -> None:
        self._owned: dict[int, list[str]] = {}
        self._groups: list[list[str]] = [[]]
        self._home = 0

    def empty_line(self) -> None:
        self._groups.append([])

    def alone(self, comment: str | None) -> None:
        """A comment with a line of its own; None for a line that could not be read."""
        if comment is not None:
            self._groups[-1].append(comment)

    def directive(self, line: int, *, home: int, behind: str | None) -> None:
        """A directive, or several; ``home`` is the line of its virtual service, or its own."""
        before = self._groups[:-1] if self._home == 0 else self._groups[:1] if len(self._groups) > 1 else []
        if home != self._home:
            self._give(self._home, before)
        else:
            before = []
        self._give(line, self._groups[len(before) :])
        self._give(line, [[behind]] if behind else [])
        self._home = home
        self._groups = [[]]

    def finished(self) -> dict[int, tuple[str, ...]]:
        self._give(self._home, self._groups)
        return {line: tuple(texts) for line, texts in self._owned.items()}

    def _give(self, line: int, groups: list[list[str]]) -> None:
        texts = [text for group in groups for text in group if text]
        if texts:
            self._owned.setdefault(line, []).extend(texts)

"""The values of directives: numbers, yes or no, words and texts, and what people write around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from lvs_agent.ldirectord.reader.entries import Entry
from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.one_line import one_line

T = TypeVar("T")

_DIGITS = re.compile(r"[0-9]+")
_MOST_DIGITS = 10
_SHOWN = 40
_MANY = frozenset({"real", "real6", "execute"})
_SECRET = frozenset({"passwd", "secret", "login"})
_SWITCHES: Mapping[str, bool] = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False}


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A value, and the line of the directive that it comes from."""

    value: T
    line: int


class Values:
    """The directives of one place, read by name.  None: not written, or unusable and reported."""

    def __init__(self, entries: Iterable[Entry], notes: Notes) -> None:
        self._notes = notes
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            name = entry.directive.name
            if name not in _MANY and name in self._entries:
                earlier = self._entries[name].line
                notes.warning(entry.line, f"{name} is on line {earlier} already; the last one counts, as in ldirectord")
            self._entries[name] = entry

    def entry(self, name: str) -> Entry | None:
        """The directive as written."""
        return self._entries.get(name)

    def number(self, name: str, *, least: int = 1) -> Placed[int] | None:
        """The first number in the value, as ldirectord takes it."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        found = _DIGITS.search(entry.value)
        number = -1 if found is None else bounded(found[0])
        if found is None or number < least:
            self._notes.error(entry.line, f"{name} must be a whole number from {least} up")
            return None
        if found[0] != entry.value:
            text = f"{name}: only the number {number} counts, not {shown(entry.value)}"
            self._notes.warning(entry.line, text)
        return Placed(number, entry.line)

    def switch(self, name: str) -> Placed[bool] | None:
        """Yes or no."""
        found = self.word(name)
        if found is None:
            return None
        value = _SWITCHES.get(found.value.lower())
        if value is None:
            self._notes.error(found.line, f"{name} must be yes or no")
            return None
        if found.value not in ("yes", "no"):
            word = "yes" if value else "no"
            self._notes.warning(found.line, f"{name}: {found.value} is read as {word}; ldirectord refuses it")
        return Placed(value, found.line)

    def word(self, name: str) -> Placed[str] | None:
        """The first word; quotes around it do not count."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        quoted = entry.value.startswith('"')
        head = entry.value[1:].partition('"')[0] if quoted else (entry.value.split(None, 1) or [""])[0]
        rest = entry.value[len(head) + 2 * quoted :]
        return Placed(head.strip(), entry.line) if self._complete(entry, head.strip(), rest=rest) else None

    def text(self, name: str) -> Placed[str] | None:
        """Everything; quotes around it do not count."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if entry.value.startswith('"') and len(entry.value) > 1:
            inner, _, rest = entry.value[1:].rpartition('"')
            return Placed(inner, entry.line) if self._complete(entry, inner, rest=rest) else None
        return Placed(entry.value, entry.line) if self._complete(entry, entry.value, rest="") else None

    def quoted(self, name: str) -> Placed[str] | None:
        """What is between the first and the last quote.  Nothing between them counts as nothing written."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        inner, rest = self._between_quotes(entry)
        if not inner:
            self._notes.warning(entry.line, f"{name} is empty, which counts as not set; ldirectord refuses it")
            return None
        self._behind(entry, rest)
        return Placed(inner, entry.line)

    def _between_quotes(self, entry: Entry) -> tuple[str, str]:
        name, value = entry.directive.name, entry.value
        if not value.startswith('"'):
            text = f"{name} should be in quotes; everything after the = is taken. ldirectord refuses it"
            self._notes.warning(entry.line, text)
            return value, ""
        inner, quote, rest = value[1:].rpartition('"')
        if not quote:
            text = f"{name} lacks its closing quote; everything after the first one is taken. ldirectord refuses it"
            self._notes.warning(entry.line, text)
            return rest, ""
        return inner, rest

    def _complete(self, entry: Entry, value: str, *, rest: str) -> bool:
        if not value:
            self._notes.error(entry.line, f"{entry.directive.name} needs a value after the =")
            return False
        self._behind(entry, rest)
        return True

    def _behind(self, entry: Entry, rest: str) -> None:
        """Tell of text behind a complete value, which is ignored."""
        name = entry.directive.name
        if rest.strip():
            what = "the text" if name in _SECRET else shown(rest)
            self._notes.warning(entry.line, f"{name}: {what} after the value is ignored; write # before a comment")


def bounded(digits: str) -> int:
    """The number; every number that no setting can have is as good as another."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _MOST_DIGITS else 10**_MOST_DIGITS


def shown(text: str) -> str:
    """``text`` as part of a message, shortened."""
    plain = one_line(" ".join(text[: 4 * _SHOWN].split()), instead="?")
    return f'"{plain}"' if len(plain) <= _SHOWN else f'"{plain[:_SHOWN]}..."'

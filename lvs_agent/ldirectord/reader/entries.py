"""From a line to its directives: where a name ends, where a comment begins, and several directives on one line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lvs_agent.config.suggest import nearest
from lvs_agent.ldirectord.reader.directives import DIRECTIVES, Directive, Scope, Shape
from lvs_agent.ldirectord.reader.lines import Line, note_oddities
from lvs_agent.ldirectord.reader.notes import Notes, Oddity

_NAME = re.compile(r"([A-Za-z][\w-]{0,40})\s*=\s*", re.ASCII)
_BARE = re.compile(r"supervised\s*(?:#|$)")
_FIRST_WORD = re.compile(r"[\w-]{1,40}")
_QUOTE_OR_HASH = re.compile('["#]')
_QUOTE_OR_NAME = re.compile(r'"|(?<![^\s])([A-Za-z]\w*)\s*=\s*', re.ASCII)
_LEAST_GLUED = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One directive as written; ``value`` has no blanks around it and no comment behind it."""

    line: int
    directive: Directive
    value: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What is on one line: directives, and the text of its comment without "#" (None: there is none)."""

    entries: tuple[Entry, ...]
    comment: str | None


def parts_of(line: Line, *, notes: Notes) -> Parts:
    """The directives and the comment of ``line``.  What is neither is an error in ``notes``."""
    if not line.plain or line.plain.startswith("#"):
        return Parts((), _comment(line.plain[1:]) if line.plain else None)
    found = _NAME.match(line.plain)
    directive = None if found is None else _known(found[1])
    if directive is None:
        return _without_directive(line, found, notes)
    code, comment = _cut(line.plain, after_blank_only=_keeps_hashes(directive, line))
    note_oddities(line, end=len(code), notes=notes)
    _note_behind(line, code, directive=directive, notes=notes)
    entries = _entries(code, line=line.number, notes=notes)
    if len(entries) > 1:
        names = ", ".join(dict.fromkeys(entry.directive.name for entry in entries))
        notes.warning(line.number, f"has several directives ({names}); each should have a line of its own")
    return Parts(entries, comment)


def glued_in_comment(line: Line, *, notes: Notes) -> Parts | None:
    """The directives of a comment that has at least three, as when a web page loses its line ends; else None."""
    if not line.plain.startswith("#"):
        return None
    code = line.plain[1:]
    entries = _entries(code, line=line.number, notes=Notes())
    if len(entries) < _LEAST_GLUED:
        return None
    notes.warning(
        line.number,
        f"is a comment, but {len(entries)} directives are taken from it, because the file has no others: its"
        " line ends seem to be lost; write each directive on a line of its own, without #",
    )
    first = next(found.start() for found in _directives(code))
    return Parts(entries, _comment(code[:first]) or None)


def _entries(code: str, *, line: int, notes: Notes) -> tuple[Entry, ...]:
    starts = _directives(code)
    ends = [*(found.start() for found in starts[1:]), len(code)] if starts else []
    entries = []
    for found, end in zip(starts, ends, strict=True):
        directive = DIRECTIVES[found[1].lower()]
        if found[1] != directive.name:
            notes.oddity(Oddity.UPPER_CASE, line)
        entries.append(Entry(line, directive, code[found.end() : end].strip()))
    if not entries and _BARE.match(code):
        return (Entry(line, DIRECTIVES["supervised"], "yes"),)
    return tuple(entries)


def _directives(code: str) -> list[re.Match[str]]:
    """Where known directives begin, outside of quotes and of texts that go on to the end of the line."""
    found, quoted = [], False
    for match in _QUOTE_OR_NAME.finditer(code):
        if match[1] is None:
            quoted = not quoted
            continue
        directive = DIRECTIVES.get(match[1].lower())
        if quoted or directive is None:
            continue
        found.append(match)
        if directive.shape is Shape.TEXT and not code.startswith('"', match.end()):
            break
    return found


def _known(name: str) -> Directive | None:
    return DIRECTIVES.get(name.lower())


def _without_directive(line: Line, found: re.Match[str] | None, notes: Notes) -> Parts:
    bare = _BARE.match(line.plain)
    if bare is not None:
        return Parts((Entry(line.number, DIRECTIVES["supervised"], "yes"),), None)
    if not any(map(str.isalnum, line.text)):
        notes.oddity(Oddity.NOTHING, line.number)
    elif notes.full:
        notes.error(line.number, "")
    elif found is not None:
        guess = nearest(found[1], known=DIRECTIVES)
        hint = f"did you mean '{guess}'?" if guess else "write # before it if it is a comment"
        notes.error(line.number, f"unknown directive '{found[1]}'; {hint}")
    else:
        notes.error(line.number, _no_directive(line.plain))
    return Parts((), None)


def _no_directive(text: str) -> str:
    word = _FIRST_WORD.match(text)
    if word is not None and (word[0].lower() in DIRECTIVES):
        return f"'{word[0]}' needs = and a value after it"
    return "is not a directive (name = value); write # before it if it is a comment"


def _cut(text: str, *, after_blank_only: bool) -> tuple[str, str | None]:
    """``text`` without the comment behind it, and that comment.

    A # within quotes is text; where a quote is not closed, one after a blank begins a comment even so.
    """
    quoted, within = False, None
    for match in _QUOTE_OR_HASH.finditer(text):
        at = match.start()
        if match[0] == '"':
            quoted = not quoted
        elif not quoted and (not after_blank_only or text[at - 1].isspace()):
            return text[:at], _comment(text[at + 1 :])
        elif quoted and within is None and text[at - 1].isspace():
            within = at
    if quoted and within is not None:
        return text[:within], _comment(text[within + 1 :])
    return text, None


def _keeps_hashes(directive: Directive, line: Line) -> bool:
    """Within a virtual service ldirectord cuts at every #, elsewhere a path or an address may have one."""
    return directive.scope is Scope.GLOBAL and directive.shape is Shape.TEXT and not line.blanks


def _note_behind(line: Line, code: str, *, directive: Directive, notes: Notes) -> None:
    everything = directive.scope is not Scope.VIRTUAL and not line.blanks
    if "#" in code and not everything:
        notes.oddity(Oddity.HASH, line.number)
    more = line.ragged or len(code.rstrip()) < len(line.text)
    if more and everything and directive.shape is not Shape.NUMBER:
        notes.oddity(Oddity.BEHIND, line.number)


def _comment(text: str) -> str:
    return text.lstrip("#").strip()

"""From bytes to lines of text: encodings, line ends, blanks and quotes as people's editors and web pages leave them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from lvs_agent.ldirectord.reader.notes import Notes, Oddity

MOST_BYTES = 4 * 1024 * 1024
LONGEST_LINE = 16_384
_LEAST_INDENTATION = 4

_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_ODD_BLANKS = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_CURLY_QUOTES = "\u201c\u201d\u201e\u201f\uff02"
_NAMES = {"\u00a0": "U+00A0 (no-break space)", "\u3000": "U+3000 (ideographic space)"}
_WITHOUT_INVISIBLE = str.maketrans(dict.fromkeys(_INVISIBLE))
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_PLAIN_BLANKS = str.maketrans(dict.fromkeys("\f\v", " "))
_QUOTED_OR_ODD = re.compile(f'"[^"]*"|[{_ODD_BLANKS}{_CURLY_QUOTES}]')


class Indentation(Enum):
    """How a line begins."""

    NONE = "none"
    ENOUGH = "enough"
    """As ldirectord wants it within a virtual service, but perhaps with blanks that it knows nothing of."""
    TOO_LITTLE = "too little"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: ``blanks`` and what follows them.  ``text`` is that as it was written, and ``plain`` the same, and as
    long, with every blank and quote outside of straight quotes in ASCII; both are empty for a line of blanks.
    ``ragged``: blanks stood behind them.
    """

    number: int
    blanks: str
    text: str
    plain: str
    ragged: bool

    @property
    def indentation(self) -> Indentation:
        if not self.blanks:
            return Indentation.NONE
        wide = len(self.blanks) + 3 * self.blanks.count("\t") >= _LEAST_INDENTATION
        return Indentation.ENOUGH if wide or self.blanks.strip(" \t") else Indentation.TOO_LITTLE


def read_lines(content: bytes, notes: Notes) -> tuple[Line, ...]:
    """The lines of a file.  Too much of anything is an error in ``notes``."""
    if len(content) > MOST_BYTES:
        notes.error(1, f"the file is larger than {MOST_BYTES // 1024**2} MiB; it is surely not an ldirectord.cf")
        return ()
    found = []
    for number, text in enumerate(_texts(content, notes), 1):
        if len(text) > LONGEST_LINE:
            notes.error(number, f"is longer than {LONGEST_LINE} characters; each directive needs a line of its own")
        else:
            found.append(_line(number, text))
    return tuple(found)


def note_oddities(line: Line, *, end: int, notes: Notes) -> None:
    """Tell what is odd about the characters of ``line``; behind the first ``end`` of them there is a comment."""
    for was, now in zip(line.blanks + line.text[:end], line.blanks + line.plain[:end], strict=True):
        if was in _ODD_BLANKS and (was != now or was in line.blanks):
            notes.oddity(Oddity.BLANKS, line.number, _NAMES.get(was, f"U+{ord(was):04X}"))
        elif was != now:
            notes.oddity(Oddity.CURLY_QUOTES, line.number)
    if _CONTROL.search(line.text[:end]):
        notes.error(line.number, "has a control character; delete it")


def _texts(content: bytes, notes: Notes) -> list[str]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        notes.oddity(Oddity.NOT_UTF8, 1, "UTF-16")
        lines = content.decode("utf-16", errors="replace").split("\n")
    else:
        if content.startswith(b"\xef\xbb\xbf"):
            notes.oddity(Oddity.MARK, 1)
        lines = _decoded(content.removeprefix(b"\xef\xbb\xbf"), notes)
    for number, text in enumerate(lines, 1):
        if text.endswith("\r"):
            notes.oddity(Oddity.CARRIAGE_RETURNS, number)
    return [text.rstrip("\r") for text in lines]


def _decoded(content: bytes, notes: Notes) -> list[str]:
    """Lines of UTF-8; the other ones are all of one encoding, the first that can be it."""
    raw = content.split(b"\n" if b"\n" in content else b"\r")
    strange = {number: line for number, line in enumerate(raw) if not _is_utf8(line)}
    encoding = "GB18030" if all(_is(line, "gb18030") for line in strange.values()) else "Latin-1"
    for number in strange:
        notes.oddity(Oddity.NOT_UTF8, number + 1, encoding)
    return [line.decode(encoding if number in strange else "utf-8") for number, line in enumerate(raw)]


def _is_utf8(line: bytes) -> bool:
    return line.isascii() or _is(line, "utf-8")


def _is(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _line(number: int, text: str) -> Line:
    whole = text.translate(_WITHOUT_INVISIBLE)
    text = whole.rstrip()
    body = text.lstrip()
    blanks = text[: len(text) - len(body)]
    body = body.translate(_PLAIN_BLANKS)
    return Line(number, blanks, body, _plain(body), ragged=len(whole) > len(text))


def _plain(text: str) -> str:
    """Straight quotes keep what is within them, unless one of their pair is missing or curly."""
    paired = text.count('"') % 2 == 0
    if paired:
        return _QUOTED_OR_ODD.sub(lambda found: found[0] if found[0][0] == '"' else _ascii(found[0]), text)
    return "".join(map(_ascii, text))


def _ascii(letter: str) -> str:
    if letter in _ODD_BLANKS:
        return " "
    return '"' if letter in _CURLY_QUOTES else letter

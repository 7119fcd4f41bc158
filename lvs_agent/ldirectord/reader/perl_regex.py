"""A regular expression of Perl's as one of Python's that matches the same text.

Only whether it matches counts here, not where or what it captures.  Source: perlre(1), perlrecharclass(1),
perlrebackslash(1) of Perl 5.36, and Python's ``re``.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType

_VERTICAL = r"\n\x0b\f\r\x85\u2028\u2029"
_HORIZONTAL = r"\t \xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"
_POSIX: Mapping[str, str] = MappingProxyType(
    {
        "alpha": "a-zA-Z",
        "digit": "0-9",
        "alnum": "a-zA-Z0-9",
        "upper": "A-Z",
        "lower": "a-z",
        "space": r"\s",
        "blank": r"\t ",
        "punct": r"!-/:-@\[-`{-~",
        "print": " -~",
        "graph": "!-~",
        "cntrl": r"\x00-\x1f\x7f",
        "xdigit": "0-9A-Fa-f",
        "word": r"\w",
        "ascii": r"\x00-\x7f",
    }
)
_NOT_POSIX: Mapping[str, str] = MappingProxyType({"digit": r"\D", "space": r"\S", "word": r"\W"})
_PROPERTIES: Mapping[str, str] = MappingProxyType(
    {"L": r"[^\W\d_]", "Alpha": r"[^\W\d_]", "N": r"\d", "Digit": r"\d", "Space": r"\s", "Word": r"\w"}
)
_PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "z": r"\Z",
        "Z": r"(?=\n?\Z)",
        "G": r"\A",
        "K": "",
        "R": r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])",
        "h": f"[{_HORIZONTAL}]",
        "H": f"[^{_HORIZONTAL}]",
        "v": f"[{_VERTICAL}]",
        "V": f"[^{_VERTICAL}]",
        "N": r"[^\n]",
    }
)
_IN_CLASS: Mapping[str, str] = MappingProxyType({"h": _HORIZONTAL, "v": _VERTICAL, "e": r"\x1b", "b": r"\x08"})
_SAME = frozenset("dDwWsSAbBnrtfa")
_SAME_IN_CLASS = frozenset("dDwWsSnrtfa")
_CHARACTER = re.compile(r"x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{0,2})|o\{([0-7]{1,7})\}|(0[0-7]{0,2})|c([@-_a-z])")
_NAMED_CHARACTER = re.compile(r"N\{U\+([0-9A-Fa-f]{1,6})\}")
_BACK = re.compile(r"g\{?(-?)([0-9]{1,2})\}?|([gk])(?:\{([A-Za-z_]\w*)\}|<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')")
_PROPERTY = re.compile(r"[pP](?:\{(\^?)(\w+)\}|([A-Za-z]))")
_QUOTED = re.compile(r"Q(.*?)(?:\\E|\Z)", re.DOTALL)
_NAMED_GROUP = re.compile(r"\(\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')")
_FLAGS = re.compile(r"\(\?\^?([aimsxnlu]*)(?:-([imsxn]*))?([:)])")
_GROUPS = ("(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?#", "(?(", "(?P=")
_POSIX_CLASS = re.compile(r"\[:(\^?)([a-z]+):\]")


class Untranslatable(ValueError):
    """Python has no such expression, or Perl neither; the message says what cannot be used."""


def translate(pattern: str) -> str:
    """``pattern`` for Python's ``re``.  Raises Untranslatable."""
    translated = _Translation(pattern).run()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(translated)
    except (re.error, OverflowError) as error:
        raise Untranslatable(f"it is not a regular expression: {error}") from None
    except RecursionError:
        raise Untranslatable("its groups are nested too deeply") from None
    except Warning:
        raise Untranslatable("Python may read it otherwise") from None
    return translated


class _Translation:
    """One expression on its way: the position in it, and the text so far."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._out: list[str] = []
        self._opened: list[list[str]] = [[]]
        self._groups = 0

    def run(self) -> str:
        take: Mapping[str, Callable[[], None]] = {
            "\\": self._escape,
            "[": self._class,
            "(": self._open,
            ")": self._close,
            "|": self._alternative,
        }
        while self._at < len(self._pattern):
            take.get(self._pattern[self._at], self._letter)()
        if len(self._opened) != 1:
            raise Untranslatable("a parenthesis is not closed")
        return "".join(self._out) + _closed(self._opened[0])

    def _letter(self) -> None:
        self._out.append(self._pattern[self._at])
        self._at += 1

    def _matched(self, pattern: re.Pattern[str], *, ahead: int = 0) -> re.Match[str] | None:
        found = pattern.match(self._pattern, self._at + ahead)
        if found is not None:
            self._at = found.end()
        return found

    # --- groups ----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if not self._pattern.startswith(("(?", "(*"), self._at):
            self._groups += 1
            self._push("(", 1)
        elif (named := self._matched(_NAMED_GROUP)) is not None:
            self._groups += 1
            self._push(f"(?P<{named[1] or named[2]}>", 0)
        elif (flags := self._matched(_FLAGS)) is not None:
            self._set_flags(flags)
        elif (start := next((each for each in _GROUPS if self._pattern.startswith(each, self._at)), None)) is None:
            raise Untranslatable(f"{self._pattern[self._at : self._at + 3]!r} has no counterpart in Python")
        elif start in ("(?#", "(?P="):
            self._verbatim()
        else:
            self._push(start, len(start))

    def _push(self, text: str, length: int) -> None:
        self._out.append(text)
        self._opened.append([])
        self._at += length

    def _verbatim(self) -> None:
        end = self._pattern.find(")", self._at)
        if end < 0:
            raise Untranslatable("a parenthesis is not closed")
        self._out.append(self._pattern[self._at : end + 1])
        self._at = end + 1

    def _set_flags(self, found: re.Match[str]) -> None:
        on = "".join(sorted(set(found[1]) & set("imsx")))
        off = "".join(sorted((set(found[2] or "") & set("imsx")) - set(on)))
        start = f"(?{on}{'-' if off else ''}{off}:"
        self._out.append(start)
        if found[3] == ":":
            self._opened.append([])
        else:
            self._opened[-1].append(start)

    def _close(self) -> None:
        if len(self._opened) == 1:
            raise Untranslatable("a parenthesis is closed that was not opened")
        self._out.append(_closed(self._opened.pop()) + ")")
        self._at += 1

    def _alternative(self) -> None:
        """Flags that were set in the middle of a group hold for its other alternatives too."""
        flags = self._opened[-1]
        self._out.append(_closed(flags) + "|" + "".join(flags))
        self._at += 1

    # --- escapes ---------------------------------------------------------------------------------------------------

    def _escape(self) -> None:
        letter = self._pattern[self._at + 1 : self._at + 2]
        if not letter:
            raise Untranslatable("it ends in a backslash")
        if (quoted := self._matched(_QUOTED, ahead=1)) is not None:
            self._out.append(re.escape(quoted[1]))
        elif not self._character() and not self._reference() and not self._property():
            self._at += 2
            self._out.append(_simple(letter))

    def _character(self) -> bool:
        found = self._matched(_NAMED_CHARACTER, ahead=1)
        if found is not None:
            self._out.append(_literal(int(found[1], 16)))
            return True
        found = self._matched(_CHARACTER, ahead=1)
        if found is not None:
            self._out.append(_literal(_code(found)))
        return found is not None

    def _reference(self) -> bool:
        found = self._matched(_BACK, ahead=1)
        if found is None:
            return False
        name = found[4] or found[5] or found[6]
        number = int(found[2] or 0)
        self._out.append(f"(?P={name})" if name else f"(?:\\{self._groups + 1 - number if found[1] else number})")
        return True

    def _property(self) -> bool:
        found = self._matched(_PROPERTY, ahead=1)
        if found is None:
            return False
        name = found[2] or found[3]
        if name not in _PROPERTIES or found[1] or found[0][0] == "P":
            raise Untranslatable(f"\\{found[0]} has no counterpart in Python")
        self._out.append(_PROPERTIES[name])
        return True

    # --- classes ---------------------------------------------------------------------------------------------------

    def _class(self) -> None:
        self._letter()
        if self._pattern.startswith("^", self._at):
            self._letter()
        first = True
        while first or not self._pattern.startswith("]", self._at):
            if self._at >= len(self._pattern):
                raise Untranslatable("a [ is not closed")
            self._out.append(self._member())
            first = False
        self._letter()

    def _member(self) -> str:
        if (posix := self._matched(_POSIX_CLASS)) is not None:
            return _posix(posix)
        if self._pattern[self._at] != "\\":
            self._at += 1
            letter = self._pattern[self._at - 1]
            return letter if letter.isalnum() or letter == "-" else re.escape(letter)
        found = self._matched(_CHARACTER, ahead=1) or self._matched(re.compile("([0-7]{1,3})"), ahead=1)
        if found is not None:
            return _literal(_code(found) if found.re is _CHARACTER else int(found[1], 8))
        self._at += 2
        letter = self._pattern[self._at - 1 : self._at]
        if letter in _SAME_IN_CLASS and letter:
            return f"\\{letter}"
        if letter in _IN_CLASS:
            return _IN_CLASS[letter]
        if not letter or letter in "pPHVNRX":
            raise Untranslatable(f"\\{letter} within [] has no counterpart in Python")
        return re.escape(letter) if letter != "-" else r"\-"


def _closed(flags: list[str]) -> str:
    """The end of the groups that stand for flags; a comment of the flag x ends with its line."""
    return "".join("\n)" if "x" in start else ")" for start in reversed(flags))


def _simple(letter: str) -> str:
    """An escape of one letter; Perl takes those that it does not know for the letter itself."""
    if letter in _PLAIN:
        return _PLAIN[letter]
    if letter in _SAME:
        return f"\\{letter}"
    if letter.isdecimal() and letter.isascii():
        return f"\\{letter}"
    if letter in "XC":
        raise Untranslatable(f"\\{letter} has no counterpart in Python")
    return r"\x1b" if letter == "e" else re.escape(letter)


def _code(found: re.Match[str]) -> int:
    """The number of the character that an escape names."""
    braced, two, octal, zero, control = found.groups()
    if control is not None:
        return ord(control.upper()) ^ 0x40
    if octal is not None or zero is not None:
        return int(octal or zero, 8)
    return int(braced or two or "0", 16)


def _literal(code: int) -> str:
    if code > 0x10FFFF:
        raise Untranslatable("it names a character that does not exist")
    return re.escape(chr(code))


def _posix(found: re.Match[str]) -> str:
    classes = _NOT_POSIX if found[1] else _POSIX
    if found[2] not in classes:
        raise Untranslatable(f"{found[0]} has no counterpart in Python")
    return classes[found[2]]

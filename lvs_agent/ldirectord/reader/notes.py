"""What a reader has to say about a file, line by line: errors, warnings, and oddities that are reported once each."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from lvs_agent.errors import Problem

MOST_PROBLEMS = 500
_MOST_LINES = 8


class Oddity(Enum):
    """What ldirectord refuses or misreads, and people write all the same.  The value is the sentence for it."""

    MARK = "a byte order mark before the first directive is ignored; ldirectord refuses it"
    CARRIAGE_RETURNS = "lines end in CR and LF; ldirectord reads the CR as a part of the value"
    NOT_UTF8 = "text that is not UTF-8 is read as {}"
    BLANKS = "{} counts as a blank; ldirectord refuses it"
    CURLY_QUOTES = "curly quotes are read as straight ones; ldirectord refuses them"
    INDENTATION = "ldirectord requires an indentation of four blanks or a tab; any indentation is accepted here"
    NOT_INDENTED = "belongs to the virtual service above, though it is not indented; ldirectord refuses that"
    INDENTED = "is a global directive, though it is indented; ldirectord refuses that"
    GAP = "continues the virtual service above after a line that ends it for ldirectord"
    BEHIND = "text after the value (blanks or a comment) is ignored; ldirectord reads it as a part of the value"
    HASH = "the # inside quotes belongs to the text; ldirectord cuts there"
    NOTHING = "has no letter and no digit, and is ignored; ldirectord refuses it"
    UPPER_CASE = "upper case is read as lower case; ldirectord refuses it"
    WITHOUT_EFFECT = "{}"
    UNVERIFIED = (
        "{} is checked without verifying the certificate, as ldirectord does with most versions of its library;"
        " to verify it, convert the file (lvs-agent convert) and delete verify = false there"
    )
    COMMANDS = (
        "the {} runs as the user nobody, not as root; set another user with run --command-user, or with"
        " agent.command_user after lvs-agent convert"
    )


class Notes:
    """Collects problems; more than ``MOST_PROBLEMS`` of a kind are counted and not kept."""

    def __init__(self) -> None:
        self._errors: dict[tuple[int, str], None] = {}
        self._warnings: dict[tuple[int, str], None] = {}
        self._oddities: dict[tuple[Oddity, str], dict[int, None]] = {}
        self._dropped = 0

    @property
    def full(self) -> bool:
        """Whether more errors would only be counted, so that no effort need be made for their texts."""
        return len(self._errors) >= MOST_PROBLEMS

    def error(self, line: int, text: str) -> None:
        """The file cannot be used because of ``line``."""
        if self.full:
            self._dropped += 1
        else:
            self._errors[line, text] = None

    def warning(self, line: int, text: str) -> None:
        """The file can be used, but ``line`` perhaps not as it was meant."""
        if len(self._warnings) < MOST_PROBLEMS:
            self._warnings[line, text] = None

    def oddity(self, kind: Oddity, line: int, word: str = "") -> None:
        """``line`` is odd; ``word`` fills the sentence of ``kind``."""
        self._oddities.setdefault((kind, word), {})[line] = None

    def errors(self) -> tuple[Problem, ...]:
        """Every error in the order of lines."""
        found = _in_order(self._errors)
        if self._dropped:
            found += (Problem("", f"and {self._dropped} more"),)
        return found

    def warnings(self) -> tuple[Problem, ...]:
        """Every warning in the order of lines; an oddity stands at the first line that has it."""
        told = {
            (min(lines), kind.value.format(word) + _elsewhere(sorted(lines)[1:])): None
            for (kind, word), lines in self._oddities.items()
        }
        return _in_order(told | self._warnings)


def at_line(line: int, text: str) -> Problem:
    """A problem of one line of the file."""
    return Problem(f"line {line}", text)


def line_of(problem: Problem) -> int:
    """The line that ``problem`` names, or one after all others."""
    number = problem.path.removeprefix("line ")
    return int(number) if number.isdecimal() else 2**31


def merge_problems(problems: Sequence[Problem], more: Sequence[Problem]) -> tuple[Problem, ...]:
    """All of them in the order of lines, each once."""
    return tuple(sorted(dict.fromkeys((*problems, *more)), key=line_of))


def _in_order(told: dict[tuple[int, str], None]) -> tuple[Problem, ...]:
    return tuple(at_line(line, text) for line, text in sorted(told, key=lambda each: each[0]))


def _elsewhere(lines: list[int]) -> str:
    if not lines:
        return ""
    shown = ", ".join(map(str, lines[:_MOST_LINES]))
    more = f" and {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""
    return f" (also line{'s' if len(lines) > 1 else ''} {shown}{more})"

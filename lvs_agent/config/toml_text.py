"""From the bytes of a TOML file to its tables, or to the one place where it cannot be read, with a remedy."""

from __future__ import annotations

import re
from typing import Any

import tomli

from lvs_agent.config.formats import SourceTables
from lvs_agent.errors import ConfigError, Problem

_PLACE = re.compile(r"(?P<what>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)
_KEY_TUPLE = re.compile(r"\('.*',?\)")
_QUOTED = re.compile(r"'([^']*)'")
_REMEDIES = (
    ("Cannot declare", "a table [x] may stand only once; arrays of tables are written [[x]]"),
    ("Cannot overwrite", "each key may stand only once in its table"),
    ("Invalid value", "texts are written in quotes, switches as true or false"),
    ("Expected '='", "each line is written key = value, and a key with blanks or dots in it in quotes"),
    ("Expected newline", "each key = value needs a line of its own"),
    ("Unclosed array", "close the array with ]"),
    ("Unterminated string", "close the text with a quote"),
    ("Illegal character", "close the text with a quote before the line ends"),
    ("Unescaped", "write \\\\ for a backslash, or put the text in single quotes"),
    ("Invalid hex", "write \\\\ for a backslash, or put the text in single quotes"),
)


class Toml:
    """The format in which a configuration is written unless its file's name says another one."""

    name = "toml"
    suffixes = (".toml",)

    def read(self, content: bytes, *, name: str) -> SourceTables:
        del name
        return SourceTables(tables=tables_of(_decoded(content)))


TOML = Toml()


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(f"line {line}", "is not UTF-8 text; save the file in UTF-8")]) from None


def tables_of(text: str) -> dict[str, Any]:
    """The tables that the TOML ``text`` has.  Raises ConfigError with the place where it stops being TOML."""
    try:
        return tomli.loads(text)
    except RecursionError:
        raise ConfigError([Problem("", "arrays or tables are nested too deeply")]) from None
    except ValueError as error:
        raise ConfigError([_syntax_problem(str(error), text)]) from None


def _syntax_problem(message: str, text: str) -> Problem:
    match = _PLACE.fullmatch(message)
    if match is None:
        return Problem("", "the file is not TOML: it has a number or a date that is out of range")
    line, column = match["line"], match["column"]
    if line is None:
        lines = text.split("\n")
        line, column = str(len(lines)), str(len(lines[-1]) + 1)
    remedy = next((remedy for start, remedy in _REMEDIES if match["what"].startswith(start)), None)
    what = _KEY_TUPLE.sub(_dotted, match["what"][:1].lower() + match["what"][1:])
    return Problem(f"line {line}, column {column}", f"{what}; {remedy}" if remedy else what)


def _dotted(keys: re.Match[str]) -> str:
    return f"[{'.'.join(_QUOTED.findall(keys[0]))}]"

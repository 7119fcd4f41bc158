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
    ("Cannot declare", "a table [x] must not be repeated; arrays of tables are written [[x]]"),
    ("Cannot overwrite", "a key must not be repeated in its table"),
    ("Invalid value", "strings must be in quotes, booleans must be true or false"),
    ("Expected '='", "each line must be key = value, and a key with spaces or dots must be in quotes"),
    ("Expected newline", "each key = value must be on its own line"),
    ("Unclosed array", "close the array with ]"),
    ("Unterminated string", "close the string with a quote"),
    ("Illegal character", "close the string with a quote before the line ends"),
    ("Unescaped", "write \\\\ for a backslash, or put the string in single quotes"),
    ("Invalid hex", "write \\\\ for a backslash, or put the string in single quotes"),
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
        raise ConfigError([Problem(f"line {line}", "is not valid UTF-8; save the file as UTF-8")]) from None


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
        return Problem("", "is not valid TOML: a number or a date is out of range")
    line, column = match["line"], match["column"]
    if line is None:
        lines = text.split("\n")
        line, column = str(len(lines)), str(len(lines[-1]) + 1)
    remedy = next((remedy for start, remedy in _REMEDIES if match["what"].startswith(start)), None)
    what = _KEY_TUPLE.sub(_dotted, match["what"][:1].lower() + match["what"][1:])
    return Problem(f"line {line}, column {column}", f"{what}; {remedy}" if remedy else what)


def _dotted(keys: re.Match[str]) -> str:
    return f"[{'.'.join(_QUOTED.findall(keys[0]))}]"

"""Command lines of ldirectord.cf as programs and arguments: nothing here is ever given to a shell."""

from __future__ import annotations

import re
import shlex

from lvs_agent.ldirectord.reader.notes import Notes, Oddity
from lvs_agent.ldirectord.reader.values import Placed

DEFAULT_CHECK_COMMAND = "/bin/true"
PERL = "/usr/bin/perl"
_ENV = "/usr/bin/env"
_SHELL = re.compile(r"""'[^']*'|"[^"$`\\]*"|(?P<special>[|&;<>()$`*?\[\]{}~\\"'\n])""")


def check_command(command: Placed[str], *, perl: bool, notes: Notes) -> list[str] | None:
    """The program of ``checkcommand`` with the arguments that are written there; None after an error."""
    notes.oddity(Oddity.COMMANDS, command.line, "checkcommand")
    words = [command.value]
    if any(letter.isspace() for letter in command.value):
        words = _split(command, name="checkcommand", notes=notes) or []
        notes.warning(
            command.line,
            "checkcommand is read as a program and its arguments; ldirectord looks for one file with such a name",
        )
    if not words:
        return None
    return [PERL, *words] if perl else _with_path(words, name="checkcommand", line=command.line, notes=notes)


def fallback_command(command: Placed[str], *, quoted: bool, notes: Notes) -> list[str] | None:
    """The program of ``fallbackcommand`` and its arguments; None after an error.

    ``quoted``: the whole of it was in quotes, which ldirectord hands to the shell where it is a global directive.
    """
    notes.oddity(Oddity.COMMANDS, command.line, "fallbackcommand")
    special = next((found["special"] for found in _SHELL.finditer(command.value) if found["special"]), None)
    if special is not None:
        text = f"fallbackcommand needs a shell because of {special!r}, and there is none here"
        notes.error(command.line, f"{text}; put it into a script and write the script's path")
        return None
    words = _split(command, name="fallbackcommand", notes=notes)
    if words is None:
        return None
    if quoted and len(words) > 1:
        text = "fallbackcommand in quotes is read as a program and its arguments; the shell would read it as one name"
        notes.warning(command.line, text)
    return _with_path(words, name="fallbackcommand", line=command.line, notes=notes)


def _split(command: Placed[str], *, name: str, notes: Notes) -> list[str] | None:
    try:
        words = shlex.split(command.value)
    except ValueError:
        words = []
    if words:
        return words
    notes.error(command.line, f"{name} is not a command line: a quote is not closed, or it is empty")
    return None


def _with_path(words: list[str], *, name: str, line: int, notes: Notes) -> list[str] | None:
    """``words`` with a program that has its full path; a bare name is looked for in PATH, as ldirectord does."""
    if words[0].startswith("/"):
        return words
    if "/" in words[0]:
        notes.error(line, f"{name} needs the full path of its program, from / on")
        return None
    return [_ENV, *words]

"""What an ldirectord.cf asks of a check that the check has no use for: it is kept as a remark, but no password is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from lvs_agent.errors import Problem
from lvs_agent.ldirectord.reader import Reading
from lvs_agent.ldirectord.reader.blocks import Block, read_blocks
from lvs_agent.ldirectord.reader.entries import Entry
from lvs_agent.ldirectord.reader.lines import read_lines
from lvs_agent.ldirectord.reader.notes import Notes, line_of

_SECRET = frozenset({"passwd", "secret"})
_OF_A_LOGIN = frozenset({"login", "database", *_SECRET})
_OF_A_REQUEST = frozenset({"request", "receive"})
_ASKS_NOTHING = frozenset({"tcp", "ping", "none", "smtp", "submission", "pop", "pops", "imap", "imaps"})
_SECRET_IN_TEXT = re.compile(r"\b(passwd|password|secret)(\s*=\s*).+", re.IGNORECASE)


def with_unused(reading: Reading, content: bytes) -> Reading:
    """``reading``, which was made of ``content``, with a warning for each directive that became nothing."""
    document = read_blocks(read_lines(content, unheard := Notes()), notes=unheard)
    used = set(reading.places.values())
    found = [
        Problem(f"line {entry.line}", f"is of no use for this check: {_shown(entry)}")
        for block in document.blocks
        for entry in _candidates(block, reading)
        if entry.line not in used
    ]
    return replace(reading, warnings=tuple(sorted((*reading.warnings, *found), key=line_of)))


def without_secrets(comment: str) -> str:
    """A comment without the password that stands in it, as in a directive that somebody switched off."""
    return _SECRET_IN_TEXT.sub(r"\1\2...", comment)


def _candidates(block: Block, reading: Reading) -> Iterator[Entry]:
    names = _OF_A_LOGIN | _OF_A_REQUEST if _type_of(block, reading) in _ASKS_NOTHING else _OF_A_LOGIN
    return (entry for entry in block.entries if entry.directive.name in names)


def _type_of(block: Block, reading: Reading) -> object:
    """The kind of check of the virtual service that was made of ``block``; None where there is none."""
    for index, service in enumerate(reading.tables.get("virtual_service", ())):
        if reading.places.get(("virtual_service", index)) == block.opener.line:
            return service.get("check", {}).get("type")
    return None


def _shown(entry: Entry) -> str:
    name = entry.directive.name
    return f"{name}, whose value is not carried over" if name in _SECRET else f"{name}={entry.value}"

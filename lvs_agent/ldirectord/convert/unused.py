"""What an ldirectord.cf asks of a check that the check has no use for: it is kept as a remark, but no password is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from lvs_agent.errors import Problem
from lvs_agent.ldirectord.reader import Reading
from lvs_agent.ldirectord.reader.blocks import Block
from lvs_agent.ldirectord.reader.entries import Entry
from lvs_agent.ldirectord.reader.notes import at_line, merge_problems

_SECRET = frozenset({"passwd", "secret"})
_OF_A_LOGIN = frozenset({"login", "database", *_SECRET})
_OF_A_REQUEST = frozenset({"request", "receive"})
_ASKS_NOTHING = frozenset({"tcp", "ping", "none", "smtp", "submission", "pop", "pops", "imap", "imaps"})
_SECRET_IN_TEXT = re.compile(r"\b(passwd|password|secret)(\s*=\s*).+", re.IGNORECASE)


def with_unused(reading: Reading) -> Reading:
    """``reading`` with a warning for each directive of a virtual service that became nothing."""
    return replace(reading, warnings=merge_problems(reading.warnings, tuple(_unused(reading))))


def without_secrets(comment: str) -> str:
    """A comment without the password that stands in it, as in a directive that somebody switched off."""
    return _SECRET_IN_TEXT.sub(r"\1\2...", comment)


def _unused(reading: Reading) -> Iterator[Problem]:
    used = set(reading.places.values())
    types = dict(_types(reading))
    for block in reading.blocks:
        for entry in _candidates(block, types.get(block.opener.line)):
            if entry.line not in used:
                yield at_line(entry.line, f"has no effect for this check: {_shown(entry)}")


def _types(reading: Reading) -> Iterator[tuple[int | None, object]]:
    """For the line on which each virtual service begins, the kind of its check; None where it has none."""
    for index, service in enumerate(reading.tables.get("virtual_service", ())):
        yield reading.places.get(("virtual_service", index)), service.get("check", {}).get("type")


def _candidates(block: Block, check: object) -> Iterator[Entry]:
    names = _OF_A_LOGIN | _OF_A_REQUEST if check in _ASKS_NOTHING else _OF_A_LOGIN
    return (entry for entry in block.entries if entry.directive.name in names)


def _shown(entry: Entry) -> str:
    name = entry.directive.name
    return f"{name} (its value is not carried over)" if name in _SECRET else f"{name}={entry.value}"

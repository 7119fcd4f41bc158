"""Names the lines of an ldirectord.cf where others would name the keys of the tables that were made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from lvs_agent.config.findings import Finding, Location, ProblemFormatter
from lvs_agent.errors import Problem
from lvs_agent.ldirectord.reader.notes import at_line, line_of

_DIRECTIVES: Mapping[str, str] = MappingProxyType(
    {
        "name": "servicename",
        "persistence": "persistent",
        "scheduler_flags": "schedflags",
        "one_packet": "ops",
        "on_down": "quiescent",
        "on_stop": "cleanstop",
        "monitor_file": "monitorfile",
        "maintenance_dir": "maintenancedir",
        "interval": "checkinterval",
        "timeout": "time limit",
        "fall": "failurecount",
        "connects_between": "checktype",
        "path": "request",
        "url": "request",
        "body_regex": "receive",
        "user": "login",
        "bind_dn": "login",
        "password": "passwd",
        "base": "request",
        "steps": "request",
        "send": "request",
        "dn_regex": "receive",
        "expect_regex": "receive",
        "answer_regex": "receive",
        "query": "request",
        "secret": "secret",
        "virtual_host": "virtualhost",
        "command": "command",
        "fwmark": "firewall mark",
        "address": "address",
        "port": "port",
        "scheduler": "scheduler",
        "comment": "comment",
        "weight": "weight",
    }
)


def by_line(places: Mapping[Location, int]) -> ProblemFormatter:
    """Tells findings by the line of the innermost table or value that ``places`` knows, in the order of lines."""

    def told(findings: Iterable[Finding], _: Mapping[str, Any]) -> tuple[Problem, ...]:
        problems = dict.fromkeys(_problem(found, places) for found in findings)
        return tuple(sorted(problems, key=line_of))

    return told


def _problem(found: Finding, places: Mapping[Location, int]) -> Problem:
    keys = [part for part in found.location if isinstance(part, str)]
    word = next((_DIRECTIVES[key] for key in reversed(keys) if key in _DIRECTIVES), "")
    text = f"{word}: {found.text}" if word and not found.text.startswith("the ") else found.text
    line = next((places[at] for at in _outwards(found.location) if at in places), None)
    return Problem("", text) if line is None else at_line(line, text)


def _outwards(location: Location) -> Iterable[Location]:
    return (location[:length] for length in range(len(location), 0, -1))

"""ldirectord's faults by number, what shows that lvs-agent is free of each, and the document that lists them.

A test is about the fault that ``@pytest.mark.fault(number)`` names.  Its docstring has two halves: what ldirectord
does, and what lvs-agent does.  ``make docs`` writes the document anew.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "ldirectord-faults.md"
NUMBERS = range(1, 47)

_MODULES = (
    "tests.ldirectord_faults.test_detection",
    "tests.ldirectord_faults.test_verdicts",
    "tests.ldirectord_faults.test_ipvs",
    "tests.ldirectord_faults.test_robustness",
    "tests.ldirectord_faults.test_configuration",
    "tests.ldirectord_faults.test_operations",
    "tests.lab.test_ldirectord_faults",
)
_HALVES = re.compile(r"(ldirectord .+?); (lvs-agent .+\.)")
_COMMAND = "tests.process.test_lvs_ldirectord"
_PARTS = (
    (range(1, 10), "Detection"),
    (range(10, 19), "Verdicts"),
    (range(19, 28), "The kernel's table"),
    (range(28, 37), "Robustness"),
    (range(37, 42), "Configuration"),
    (range(42, 47), "Operations"),
)


class Shown(NamedTuple):
    """A test that shows that lvs-agent is free of a fault."""

    number: int
    ldirectord: str
    here: str
    test: str


ELSEWHERE = (
    Shown(
        3,
        "ldirectord waits without any limit for databases, news, POP and IMAP servers that say nothing.",
        "lvs-agent has one deadline for each check, whatever is spoken.",
        "tests.servers.test_mail::test_hung_servers_fail_by_the_deadline",
    ),
    Shown(
        14,
        "ldirectord checks IMAP on the usual port, whatever port is configured.",
        "lvs-agent checks the port that the server has.",
        "tests.servers.test_mail::test_working_server_passes",
    ),
    Shown(
        17,
        "ldirectord asks DNS servers for addresses alone, and takes no other answer for one.",
        "lvs-agent asks for any common type of record.",
        "tests.servers.test_dns::test_record_passes",
    ),
    Shown(
        29,
        "ldirectord deletes the pid file of the running daemon when any command finds the configuration broken.",
        "lvs-agent needs no configuration for status, reload and stop, and its pid file stays as long as it lives.",
        f"{_COMMAND}::test_fault_29_broken_configuration_keeps_nobody_from_managing_the_agent",
    ),
    Shown(
        31,
        "ldirectord returns from stop before it has ended, so that a start right behind it leaves nothing running.",
        "lvs-agent has ended when stop returns.",
        f"{_COMMAND}::test_fault_31_stop_returns_when_the_agent_has_ended",
    ),
    Shown(
        32,
        "ldirectord leaves table and pid file behind when it gets a second SIGTERM.",
        "lvs-agent ends as cleanly with five of them.",
        f"{_COMMAND}::test_fault_32_second_signal_ends_it_as_cleanly_as_the_first",
    ),
    Shown(
        33,
        "ldirectord in the foreground has no pid file, cannot be controlled and can be started twice.",
        "lvs-agent is managed there like anywhere else.",
        f"{_COMMAND}::test_fault_33_foreground_can_be_controlled",
    ),
    Shown(
        35,
        "ldirectord has different pid files for one configuration, depending on how it was named.",
        "lvs-agent has one for each configuration, however it is named.",
        f"{_COMMAND}::test_fault_35_one_configuration_has_one_pid_file",
    ),
    Shown(
        35,
        "ldirectord takes any process for its own that has the pid and its name in the command line.",
        "lvs-agent is known by the lock of its pid file.",
        f"{_COMMAND}::test_fault_35_other_process_with_the_pid_is_not_ours",
    ),
)
"""Tests that are named after a fault in the place where they belong."""

OPEN: Mapping[int, str] = MappingProxyType(
    {
        40: "Documentation that is wrong on defaults and formats: the tables of the migration guide and of this file "
        "are generated from the code, and tests compare them.",
        45: "A check where none was asked for: the format wants it so, and a configuration is to mean the same here; "
        "`check-config` says how many checks a file makes.",
    }
)
"""Faults without a test, and why."""


def shown() -> list[Shown]:
    """Every test that is about a fault, by number.  Raises ValueError for a docstring without both halves."""
    found = [*ELSEWHERE]
    for module in _MODULES:
        found += _of_module(module)
    return sorted(found, key=lambda one: one.number)


def _of_module(name: str) -> Iterator[Shown]:
    for function, test in inspect.getmembers(importlib.import_module(name), inspect.isfunction):
        for mark in getattr(test, "pytestmark", ()):
            if mark.name == "fault":
                halves = _HALVES.fullmatch(" ".join((test.__doc__ or "").split()))
                if halves is None:
                    raise ValueError(f"{name}::{function}: a docstring of 'ldirectord ...; lvs-agent ...' is required")
                yield Shown(mark.args[0], f"{halves[1]}.", halves[2], f"{name}::{function}")


def document() -> str:
    """The document, as it must be."""
    tests = shown()
    covered = {one.number for one in tests}
    head = (
        f"ldirectord 4.12 was observed at work and its program read. Of the {len(NUMBERS)} faults that were found, "
        f"{len(covered)} have tests here; the last section says why the others have none. This file is generated from "
        "the tests (`make docs`)."
    )
    lines = ["# Faults of ldirectord, and the tests that show that lvs-agent has none of them", "", head]
    for numbers, title in _PARTS:
        lines += ["", f"## {title}", "", "| no. | ldirectord | lvs-agent | test |", "|---|---|---|---|"]
        lines += [_row(one) for one in tests if one.number in numbers]
    lines += ["", "## Without a test", "", *(f"- {number}. {why}" for number, why in OPEN.items()), ""]
    return "\n".join(lines)


def _row(one: Shown) -> str:
    module, _, function = one.test.partition("::")
    path = module.replace(".", "/") + ".py"
    here = one.here.removeprefix("lvs-agent ")
    cells = (_capital(one.ldirectord.removeprefix("ldirectord ")), _capital(here))
    left, right = (cell.replace("|", "\\|").replace("``", "`") for cell in cells)
    return f"| {one.number} | {left} | {right} | [{function}](../{path}) |"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")

"""The rules for Prometheus as data, and the tools of Prometheus and Alertmanager that judge them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
RULES_FILE = ROOT / "alerts/lvs-agent.rules.yml"
RUNBOOKS = ROOT / "docs/runbooks"

_SPARING = {"GOMAXPROCS": "1", "GOGC": "400"}
"""Several run at once, each for a moment: they need no threads of their own, and hardly any garbage collection."""

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule: ``source`` is what the file says, ``name`` that of its alert or of the series that it records."""

    group: str
    source: Mapping[str, Any]

    @property
    def is_alert(self) -> bool:
        return "alert" in self.source

    @property
    def name(self) -> str:
        return str(self.source.get("alert") or self.source["record"])

    @property
    def expr(self) -> str:
        return str(self.source["expr"])

    @property
    def severity(self) -> str:
        return str(self.source.get("labels", {}).get("severity", ""))

    @property
    def annotations(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.source.get("annotations", {})
        return found

    @property
    def label(self) -> str:
        """What tells it from all other rules."""
        return f"{self.name}-{self.severity}" if self.severity else self.name


def load_yaml(path: Path) -> Any:
    """What a file says, in plain types."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def _rules() -> Iterator[Rule]:
    for group in load_yaml(RULES_FILE)["groups"]:
        yield from (Rule(group["name"], source) for source in group["rules"])


ALL_RULES = tuple(_rules())
ALERTS = tuple(rule for rule in ALL_RULES if rule.is_alert)
RECORDS = tuple(rule for rule in ALL_RULES if not rule.is_alert)
ALERT_NAMES = tuple(dict.fromkeys(rule.name for rule in ALERTS))


def unit_tests_of(alert: str) -> Path:
    """The file with the tests of an alert."""
    return HERE / f"{alert}.test.yml"


RECORDED_TESTS = HERE / "recorded.test.yml"
"""Tests of recorded series, where those of the alerts that use them would need hours to tell."""


def recorded_for(rule: Rule) -> tuple[Rule, ...]:
    """The recording rules that ``rule`` needs."""
    return tuple(record for record in RECORDS if record.name in rule.expr)


def seconds(duration: str) -> float:
    """A duration of Prometheus, of one unit, in seconds."""
    found = re.fullmatch(r"(\d+)([smhd])", duration)
    if found is None:
        raise ValueError(duration)
    return int(found[1]) * _SECONDS[found[2]]


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool of Prometheus; its errors are between its other lines, in the order in which it wrote them."""
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    return subprocess.run(
        [program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
        env={**os.environ, **_SPARING},
        check=False,
    )

"""The committed dashboards as Grafana would read them, and their expressions as Prometheus would get them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "grafana" / "dashboards"
PATHS = sorted(DIRECTORY.glob("*.json"))

RATE_INTERVAL = "15s"
"""Some scrapes of the Prometheus of the tests, of which a slow machine may lose one."""
_VALUES = {
    "$__rate_interval": RATE_INTERVAL,
    "$__range": "60s",
    "$job": ".+",
    "$instance": ".+",
    "$virtual_service": ".+",
    "$real_server": ".+",
}


def read(path: Path) -> dict[str, Any]:
    """One dashboard."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel that shows something, those in collapsed rows included."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def filled_in(text: str, **chosen: str) -> str:
    """An expression with everything chosen, as at the first look at a dashboard, but for what is ``chosen``."""
    values = _VALUES | {f"${name}": escaped(value) for name, value in chosen.items()}
    for name, value in sorted(values.items(), reverse=True):
        text = text.replace(name, value)
    return text


def escaped(value: str) -> str:
    """A value (without backslashes) as Grafana puts it into an expression: for a regular expression in a string."""
    return re.sub(r"[$^*{}\[\]'+?.()|]", lambda match: "\\\\" + match[0], value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One expression and where it stands."""

    where: str
    expr: str
    legend: str = ""
    """Names of labels in double braces in it must be labels of the answer."""


def questions_of_panels(dashboard: dict[str, Any]) -> Iterator[Question]:
    """Every query of every panel."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Question(
                where=f"{dashboard['uid']}: {panel['title']} {target['refId']}",
                expr=filled_in(target["expr"]),
                legend=target.get("legendFormat", ""),
            )


def questions_of_annotations(dashboard: dict[str, Any]) -> Iterator[Question]:
    """Every query of an annotation."""
    for annotation in dashboard["annotations"]["list"]:
        tags = "".join(f"{{{{{tag}}}}}" for tag in annotation["tagKeys"].split(","))
        yield Question(
            where=f"{dashboard['uid']}: annotation {annotation['name']}",
            expr=filled_in(annotation["expr"]),
            legend=annotation["textFormat"] + tags,
        )


def questions_of_variables(dashboard: dict[str, Any]) -> Iterator[Question]:
    """Every variable's query, as one that has a series for each value."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
            assert match is not None, variable["query"]
            yield Question(
                where=f"{dashboard['uid']}: variable {variable['name']}",
                expr=f"count by ({match[2]}) ({filled_in(match[1])})",
                legend=f"{{{{{match[2]}}}}}",
            )


def questions(dashboard: dict[str, Any]) -> Iterator[Question]:
    """Everything that this dashboard asks."""
    yield from questions_of_panels(dashboard)
    yield from questions_of_annotations(dashboard)
    yield from questions_of_variables(dashboard)

"""Every expression of the dashboards, answered by a real Prometheus about a real agent on a real kernel."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from grafana import queries
from grafana.limits import CAPACITY
from tests.grafana.dashboards import PATHS, Question, filled_in, panels, questions, read
from tests.grafana.scene import Scene, play
from tests.lab.agent import PORT

pytestmark = pytest.mark.ipvs

Series = dict[str, Any]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Played once."""
    with ExitStack() as stack:
        yield play(stack, tmp_path_factory.mktemp("scene"))


def answer(scene: Scene, question: Question) -> list[Series]:
    """The series with a number in them, at any time."""
    found = scene.prometheus.over(question.expr, start=scene.start, end=scene.end)
    return [series for series in found if any(math.isfinite(float(value)) for _, value in series["values"])]


def values(scene: Scene, expr: str) -> set[float]:
    """Every value that an expression had, of whatever series."""
    found = scene.prometheus.over(filled_in(expr), start=scene.start, end=scene.end)
    return {float(value) for series in found for _, value in series["values"]}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_nothing_that_a_dashboard_asks_is_empty(scene: Scene, path: Path) -> None:
    """Each panel, annotation and variable gets at least one series with a number, and labels for its legend."""
    empty, nameless = [], []
    for question in questions(read(path)):
        found = answer(scene, question)
        labels = {label for series in found for label in series["metric"]}
        if not found:
            empty.append(f"{question.where}: {question.expr}")
        elif missing := set(re.findall(r"{{(\w+)}}", question.legend)) - labels:
            nameless.append(f"{question.where}: no label {sorted(missing)} in {question.expr}")

    assert empty == []
    assert nameless == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_columns_of_tables_are_what_their_heads_say(scene: Scene, path: Path) -> None:
    """Each column of text is a label of some query, no other label is shown, and rows of all queries fit together.

    They fit where no two series of a query have the same values of the labels that all queries have.
    """
    for panel in panels(read(path)):
        if panel["type"] != "table":
            continue
        organize = panel["transformations"][1]["options"]
        shown = {name for name in organize["renameByName"] if not name.startswith("Value")}
        answers = [
            scene.prometheus.over(filled_in(target["expr"]), start=scene.start, end=scene.end)
            for target in panel["targets"]
        ]
        labels = [{label for series in found for label in series["metric"]} for found in answers]
        assert set.union(*labels) - organize["excludeByName"].keys() == shown, panel["title"]
        common = set.intersection(*labels)
        for found in answers:
            keys = [tuple(sorted((name, series["metric"].get(name, "")) for name in common)) for series in found]
            assert len(panel["targets"]) == 1 or len(set(keys)) == len(keys), panel["title"]


def test_states_tell_what_happened(scene: Scene) -> None:
    """A service was healthy and on its sorry server; a server was up, and down."""
    services, servers = values(scene, queries.service_state()), values(scene, queries.server_state())

    assert {0, 7} <= services
    assert {0, 1} <= servers
    assert values(scene, queries.worst_of_directors(queries.is_down())) >= {0, 1}


def test_capacity_and_failures_tell_what_happened(scene: Scene) -> None:
    """While the servers were away there was little capacity, and checks failed; before that everything was well."""
    capacity, failed = values(scene, queries.capacity()), values(scene, queries.failed_share())

    assert min(capacity) < CAPACITY.value
    assert max(capacity) == 1
    assert min(failed) == 0
    assert 0 < max(failed) <= 1


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_choice_narrows_what_is_shown(scene: Scene, path: Path) -> None:
    """With one service and one server chosen there is still something to see, and nothing of the others."""
    chosen = {"virtual_service": "web", "real_server": "10.0.0.2:80", "instance": f"127.0.0.1:{PORT}"}
    seen: dict[str, set[str]] = {}
    for panel in panels(read(path)):
        for target in panel["targets"]:
            expr = filled_in(target["expr"], **chosen)
            for series in scene.prometheus.over(expr, start=scene.start, end=scene.end):
                for label in chosen:
                    seen.setdefault(label, set()).add(series["metric"].get(label, ""))

    variables = {variable["name"] for variable in read(path)["templating"]["list"]}
    assert {label: seen[label] - {""} for label in chosen.keys() & variables} == {
        label: {chosen[label]} for label in chosen.keys() & variables
    }

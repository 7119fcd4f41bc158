"""How long the longest modules of tests take, so that they begin first and two lab kernels get equal parts."""

from __future__ import annotations

from collections.abc import Collection

USUAL_S = 8
LONG_S = {
    "tests/lab/test_changeover.py": 156,
    "tests/lab/test_differential.py": 150,
    "tests/differential/test_differences.py": 101,
    "tests/lab/test_table.py": 96,
    "tests/lab/test_ldirectord_doing.py": 92,
    "tests/checks/test_contract.py": 88,
    "tests/lab/test_alerting.py": 86,
    "tests/ldirectord/test_removal.py": 76,
    "tests/process/test_lvs_ldirectord.py": 74,
    "tests/process/test_ocf.py": 62,
    "tests/lab/test_cluster.py": 56,
    "tests/lab/test_life.py": 54,
    "tests/web/test_browser.py": 44,
    "tests/grafana/test_live.py": 40,
    "tests/lab/test_ldirectord_faults.py": 39,
    "tests/process/test_reload.py": 33,
    "tests/alerts/test_mutations.py": 27,
    "tests/checks/test_command.py": 24,
    "tests/lab/test_figures.py": 24,
    "tests/ldirectord_faults/test_robustness.py": 23,
    "tests/lab/test_node_exporter.py": 20,
    "tests/lab/test_status.py": 20,
    "tests/lab/test_detection.py": 20,
    "tests/lab/test_net.py": 19,
    "tests/ldirectord_faults/test_detection.py": 19,
    "tests/alerts/test_units.py": 18,
    "tests/lab/test_plugin.py": 17,
    "tests/ldirectord/reader/test_reading.py": 16,
    "tests/web/test_server.py": 14,
    "tests/config/test_absurd_values.py": 13,
    "tests/process/test_life.py": 13,
    "tests/lab/test_observing.py": 12,
}
"""Approximate seconds on an idle machine with two processors; the others take about USUAL_S or less."""


def seconds_of(module: str) -> int:
    """Approximate seconds of the tests of ``module``, a path below the root of the project."""
    return LONG_S.get(module, USUAL_S)


def parts_of(modules: Collection[str], *, of: int) -> list[set[str]]:
    """``modules`` in ``of`` parts that take about the same time: the longest first, each to the part with the least."""
    parts: list[set[str]] = [set() for _ in range(of)]
    took = [0] * of
    for module in sorted(modules, key=lambda name: (-seconds_of(name), name)):
        least = took.index(min(took))
        parts[least].add(module)
        took[least] += seconds_of(module)
    return parts

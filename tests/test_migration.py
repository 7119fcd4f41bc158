"""Rules that give others' names to our metrics; tests/lab/test_node_exporter.py has them beside the originals."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RULES = sorted((ROOT / "alerts/migration").glob("*.rules.yml"))
GUIDE = ROOT / "docs/migrating-from-exporters.md"


def promtool(*arguments: str | Path) -> str:
    """What promtool says when it is not content, else nothing."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.name)
def test_rules_give_the_series_of_the_other_exporter(rules: Path) -> None:
    """Names, labels and values, for what the kernel has and for nothing else."""
    test = ROOT / "tests/data/migration" / rules.name.replace(".rules.", ".test.")

    assert promtool("check", "rules", "--lint=all", "--lint-fatal", rules) == ""
    assert promtool("test", "rules", test) == ""


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.name)
def test_the_guide_knows_every_recorded_name(rules: Path) -> None:
    """Whoever looks for a name of the other exporter finds it in the guide."""
    theirs = [name for name in re.findall(r"record: (\S+)", rules.read_text()) if ":" not in name]
    guide = GUIDE.read_text()

    assert len(theirs) >= 8
    assert [name for name in theirs if f"`{name}`" not in guide] == []


def test_the_guides_rule_keeps_job_and_instance(tmp_path: Path) -> None:
    """Its example gives a series the job and the instance that node_exporter's had."""
    (block,) = [text for text in re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL) if "record:" in text]
    rules = textwrap.indent(textwrap.dedent(block), "      ")
    (tmp_path / "rules.yml").write_text(f"groups:\n  - name: kept\n    rules:\n{rules}")
    ours = 'lvs_connections_total{job="lvs_agent", instance="director1:9659"}'
    kept = 'node_ipvs_connections_total{job="node", instance="director1:9100"}'
    wanted = {"expr": kept.partition("{")[0], "eval_time": "15s", "exp_samples": [{"labels": kept, "value": 8}]}
    case = {"interval": "15s", "input_series": [{"series": ours, "values": "7 8"}], "promql_expr_test": [wanted]}
    test = tmp_path / "test.yml"
    test.write_text(json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [case]}))

    assert promtool("test", "rules", test) == ""

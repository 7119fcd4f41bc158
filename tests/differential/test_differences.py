"""ldirectord and lvs-agent end with the same table, but for the differences that have a name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.differential.cases import CASES
from tests.differential.differences import documented, names_of_problems, names_of_rows
from tests.differential.oracle import installed

ROOT = Path(__file__).parents[2]
FILES = 4


def test_each_difference_is_explained_in_the_document() -> None:
    """No difference without its paragraph, and none that is no more."""
    assert documented() == CASES.keys()


def test_row_without_an_explanation_has_no_name() -> None:
    """What is in one table only, for no reason that the file has, is found."""
    text = b"virtual=10.9.0.1:80\n    real=10.0.0.1:80 gate 1\n"
    row = "-a -t 10.9.0.1:80 -r 10.0.0.1:80 -g -w 1"

    assert names_of_rows([text], [row], []) == {""}
    assert names_of_rows([text], [row], [row.replace("-w 1", "-w 2")]) == {""}
    assert names_of_rows([text], [row], [row]) == set()


def test_refusal_without_an_explanation_has_no_name() -> None:
    """A file that only lvs-agent refuses is a difference too."""
    assert names_of_problems(["line 3: something new"]) == {""}


@pytest.mark.timeout(600)
@pytest.mark.skipif(not installed(), reason="needs the package ldirectord")
def test_tables_differ_only_where_it_is_meant() -> None:
    """Every case, users' files, the package's sample and some generated files, through failures and a reload."""
    command = [sys.executable, "-m", "tests.differential", "--files", str(FILES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr

"""Files written after those of real users: what they ask for, and what is said about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.oracle import Oracle
from tests.ldirectord.reader.expected import ADDRESSES, lines_of

DATA = Path(__file__).parents[2] / "data" / "ldirectord"
FILES = sorted(DATA.glob("*.cf"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_asks_for_what_its_author_meant(path: Path) -> None:
    """The table, the checks, and one warning for each oddity, with its line."""
    assert lines_of(path.read_bytes()) == path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_that_ldirectord_refuses_is_told_to_be_odd(oracle: Oracle, path: Path) -> None:
    """Whoever goes back to ldirectord with such a file was warned, at the line that ldirectord stops at or before."""
    content = path.read_bytes()
    for name, address in ADDRESSES.items():  # ldirectord has no resolver here
        content = content.replace(name.encode(), address.encode())
    stops_at = oracle.refused_at(content)
    told = [line for line in lines_of(content) if line.startswith("warning")]

    assert stops_at is None or any(int(line.split()[2].rstrip(":")) <= stops_at for line in told)

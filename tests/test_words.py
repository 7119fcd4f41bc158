"""The words that the project no longer uses do not come back."""

from __future__ import annotations

import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.words import WORDS, Word

ROOT = Path(__file__).parents[1]
NOT_SEARCHED = ("LICENSE", "CHANGELOG.md", "tests/data/*", "tests/words.py")
"""The history has the words of its time, data are what others wrote, and the list has to name what it forbids."""
_NOT_OURS = {"build", "dist", "node_modules"}

each_word = pytest.mark.parametrize("word", WORDS, ids=lambda word: word.before.replace(" ", "-"))


def paths() -> list[str]:
    """The tracked files, or outside of git all files but those of tools, relative to the repository."""
    found: list[str] = []
    if shutil.which("git"):
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
        found = listed.stdout.split("\0")
    if not any(found):
        found = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
    return [path for path in sorted(found) if path and (ROOT / path).is_file() and _is_ours(path)]


def _is_ours(path: str) -> bool:
    parts = Path(path).parts
    hidden = any(part.startswith(".") or part in _NOT_OURS or part.endswith(".egg-info") for part in parts[:-1])
    return not hidden and not any(fnmatchcase(path, pattern) for pattern in NOT_SEARCHED)


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Every text of the repository, by its path."""
    found = {}
    for path in paths():
        try:
            found[path] = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


@each_word
def test_word_does_not_come_back(word: Word, texts: dict[str, str]) -> None:
    """Each occurrence is reported with its file, its line, the better word and the reason."""
    found = [
        f"{path}:{line}: {said!r}: write {word.instead!r} ({word.why})"
        for path, text in texts.items()
        if word.is_searched_in(path)
        for line, said in word.find(text)
    ]

    assert not found, "\n" + "\n".join(found)


@each_word
def test_word_is_found_and_its_replacement_is_not(word: Word) -> None:
    """An entry finds its example, also across lines of a comment, and what it recommends is allowed."""
    assert list(word.find(f"first\n# {word.before}"))
    assert list(word.find(word.before.replace(" ", "\n    # ")))
    assert next(word.find(f"first\n{word.before}"))[0] == 2
    assert not list(word.find(word.instead))


def test_files_are_searched(texts: dict[str, str]) -> None:
    """Documents, rules, dashboards, code and tests are among them, and nothing of the exceptions."""
    searched = {
        "README.md",
        "alerts/lvs-agent.rules.yml",
        "grafana/agent.py",
        "lvs_agent/daemon.py",
        "tests/conftest.py",
    }

    assert searched <= texts.keys()
    assert not {"LICENSE", "CHANGELOG.md", "tests/words.py"} & texts.keys()
    assert not [path for path in texts if path.startswith("tests/data/")]

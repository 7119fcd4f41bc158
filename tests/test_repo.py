"""What holds for the repository as a whole: layers, sizes, names, and words that have no place in it."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from lvs_agent import __version__

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lvs_agent"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_MODULE, MEDIAN_MODULE, MAX_FUNCTION, MEDIAN_FUNCTION = 350, 160, 60, 9

# put together here, so that this file does not have them either
FORBIDDEN = re.compile(
    "|".join(
        (
            "/wo" + "rk/",
            r"\.\./sha" + "red",
            r"issue #?\d" + "+",
            "to" + "do:",
            "fix" + "me",
            r"\bll" + r"m\b",
            "chat" + "gpt",
            "clau" + "de",
            "anthro" + "pic",
            "py" + "pi-more",
            "/roo" + r"t/\.pyenv",
        )
    ),
    re.IGNORECASE,
)


@cache
def tree(path: Path) -> ast.Module:
    """What a module says, read once for all tests."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def functions() -> tuple[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef], ...]:
    """Every function of the package, with where it is."""
    return tuple(
        (f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node)
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def tracked() -> list[Path]:
    """The files that are part of the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def test_imports_go_one_way() -> None:
    """The layers of the design, held by import-linter."""
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout


def test_modules_are_short() -> None:
    """No module is a place where everything goes."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}

    assert {name: lines for name, lines in lengths.items() if lines > MAX_MODULE} == {}
    assert statistics.median(lengths.values()) < MEDIAN_MODULE


def test_functions_are_short() -> None:
    """Each can be seen at a glance."""
    lengths = {name: length(node) for name, node in functions()}

    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION} == {}
    assert statistics.median(lengths.values()) <= MEDIAN_FUNCTION


def test_every_function_says_its_types() -> None:
    """Arguments and result, without exception."""

    def complete(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        stars = [one for one in (node.args.vararg, node.args.kwarg) if one]
        named = [one for one in given if one.arg not in {"self", "cls"}]
        return all(one.annotation for one in [*named, *stars]) and (node.returns is not None)

    assert [name for name, node in functions() if not complete(node)] == []


@pytest.mark.parametrize("word", ["utils", "util", "helpers", "common", "misc", "manager"])
def test_modules_are_named_after_what_they_are_about(word: str) -> None:
    """A name that means everything means nothing."""
    assert [path for path in MODULES if path.stem == word] == []


def test_validation_does_not_depend_on_asserts() -> None:
    """``python -O`` must check as much as python."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Assert)
    ]

    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    """The first thing in a file is its purpose."""
    without = [str(path.relative_to(ROOT)) for path in MODULES if not ast.get_docstring(tree(path))]

    assert without == []


def test_changelog_begins_with_the_version_of_the_package() -> None:
    """What is released is what is written about."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[?(\d+\.\d+\.\d+)", text, re.MULTILINE)

    assert versions[:1] == [__version__]


def test_repository_speaks_of_the_product_alone() -> None:
    """No path of a machine, no reference that only its authors understand, nothing left to do."""
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {match[0]}"
            for number, line in enumerate(text.splitlines(), start=1)
            if (match := FORBIDDEN.search(line))
        ]

    assert found == []

"""docs/configuration.md: every key but those of checks.  ``make docs`` (this module's command) writes it.

Everything comes from the models in ``lvs_agent.config.schema``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_origin

from pydantic import BaseModel

from lvs_agent.config.schema.docstrings import field_texts
from lvs_agent.config.schema.keys import Mark, marked, models_in, tables_below
from lvs_agent.config.schema.tables import File
from tests.checks.reference import cell, default_words, type_words

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"
_INTRODUCTION = (
    "Every key of the configuration file (TOML), table by table. [checks.md](checks.md) has the keys of checks, and "
    "[config.toml.example](../config.toml.example) shows all of them at work. This file is generated from the code "
    "(`make docs`)."
)
_INHERITED = (
    "A table that does not write one of these keys takes it from the table around it: a real server from its virtual "
    "service, and that one from `[defaults]` or `[agent]`. The default holds where none of them writes it."
)
_AT_START = " Takes effect at the next start."


def document() -> str:
    """The document, as it must be."""
    tables = dict(tables_below(File))
    lines = ["# Configuration", "", _INTRODUCTION]
    for model in dict.fromkeys(tables.values()):
        own = [key for key in model.model_fields if key not in marked(model, Mark.INHERITED)]
        if own:
            places = ", ".join(f"`{header(path)}`" for path, each in tables.items() if each is model)
            lines += ["", f"## {places}", "", *_text(model), "| key | type | default | meaning |", "|---|---|---|---|"]
            lines += [_row(key, model) for key in own]
    lines += ["", "## Keys that are inherited", "", _INHERITED, ""]
    lines += ["| key | in | type | default | meaning |", "|---|---|---|---|---|", *_inherited(tables)]
    return "\n".join(lines) + "\n"


def header(path: str) -> str:
    """The table ``path`` as its header is written: ``"[[virtual_service]]"``."""
    annotation: object = File
    for name in path.split("."):
        (model,) = models_in(annotation)
        annotation = model.model_fields[name].annotation
    return f"[[{path}]]" if get_origin(annotation) is tuple else f"[{path}]"


def _text(model: type[BaseModel]) -> Iterator[str]:
    yield from (cell(model.__doc__ or ""), "")


def _row(key: str, model: type[BaseModel], *more: str) -> str:
    info = model.model_fields[key]
    late = _AT_START if key in marked(model, Mark.AT_START) else ""
    cells = (type_words(info.annotation, info.metadata), default_words(info), field_texts(model)[key] + late)
    return f"| {' | '.join(map(cell, (f'`{key}`', *more, *cells)))} |"


def _inherited(tables: dict[str, type[BaseModel]]) -> Iterator[str]:
    owners: dict[str, list[str]] = {}
    for path, model in tables.items():
        for key in sorted(marked(model, Mark.INHERITED), key=list(model.model_fields).index):
            owners.setdefault(key, []).append(path)
    for key, paths in owners.items():
        yield _row(key, tables[paths[0]], ", ".join(f"`{header(path)}`" for path in paths))


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")

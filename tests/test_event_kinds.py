from __future__ import annotations

from pathlib import Path

import pytest

from lvs_agent.model.event import Event, EventKind
from lvs_agent.view.event_sentence import sentence

ROOT = Path(__file__).parents[1]
DECIDING = [path for path in (ROOT / "lvs_agent" / "core").glob("*.py") if path.name != "event_sentence.py"]
RECORDING = [*(ROOT / "lvs_agent" / "control").glob("*.py"), ROOT / "lvs_agent" / "daemon.py", *DECIDING]
WATCHED = [path for folder in ("control", "process", "lab") for path in (ROOT / "tests" / folder).glob("test_*.py")]


def text_of(paths: list[Path]) -> str:
    """Everything in these files."""
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


@pytest.mark.parametrize("kind", EventKind, ids=lambda kind: str(kind.value))
def test_every_kind_has_a_sentence_a_place_a_test_and_a_line_in_the_manual(kind: EventKind) -> None:
    """A kind that nobody records, that no test has seen or that cannot be told does not stay unnoticed."""
    told = sentence(Event(number=1, at=0.0, kind=kind, virtual_service="web", real_server="10.0.0.1:80"))

    assert told
    assert told == told.strip()
    assert f"EventKind.{kind.name}" in text_of(RECORDING)
    assert f"`{kind.value}`" in text_of([ROOT / "docs" / "events.md"])
    assert any(word in text_of(WATCHED) for word in (f"EventKind.{kind.name}", f'"{kind.value}"'))

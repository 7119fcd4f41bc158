"""docs/checks.md says what the checkers do, because it is made of them."""

from __future__ import annotations

from typing import Any

import pytest
import tomli

from lvs_agent.checks.kinds import checkers
from lvs_agent.config.schema.check import COMMON_KEYS, CheckKeys
from lvs_agent.config.schema.secret_keys import secret_places
from lvs_agent.model.check import FailureReason
from tests.checks.reference import DOCUMENT, document, in_table, missing, said

KINDS = sorted(checkers())


def test_document_is_that_of_the_code() -> None:
    """What has changed in a checker is written anew by ``make docs``."""
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run make docs"


@pytest.mark.parametrize("kind", KINDS)
def test_every_checker_explains_itself(kind: str) -> None:
    """An example, what passes, what fails, and what the server sees of it."""
    assert missing(kind) == []


@pytest.mark.parametrize("kind", KINDS)
def test_reasons_are_members_and_say_when(kind: str) -> None:
    """A reason that no result can have would mislead."""
    fails = said(kind).fails or {}

    assert all(isinstance(reason, FailureReason) for reason in fails)
    assert all(fails.values())


@pytest.mark.parametrize("kind", KINDS)
def test_example_is_a_check_of_its_kind(kind: str) -> None:
    """It can be copied as it stands; secrets replace their files."""
    settings = checkers()[kind].settings
    places = secret_places(settings)
    table: dict[str, Any] = tomli.loads(in_table(said(kind).example or ""))["virtual_service"]["check"]
    revealed = {places.owner(key): value for key, value in table.items()}
    common = {key: value for key, value in revealed.items() if key in COMMON_KEYS}

    assert common.pop("type") == kind
    CheckKeys.model_validate(common)
    settings.model_validate({key: value for key, value in revealed.items() if key not in COMMON_KEYS})


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_explained(kind: str) -> None:
    """Each has its row, with a text."""
    section = document().partition(f"\n## {kind}\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    explained = {row[0].strip("| `"): row[3].strip("| ") for row in rows}

    assert set(checkers()[kind].settings.model_fields) <= set(explained)
    assert all(explained.values())

"""Every fault has a test or a reason, and the document says what the tests say."""

from __future__ import annotations

import importlib

from tests.ldirectord_faults.catalogue import DOCUMENT, ELSEWHERE, NUMBERS, OPEN, document, shown


def test_every_fault_has_tests_or_a_reason_why_not() -> None:
    """Never both, and never neither."""
    covered = {one.number for one in shown()}

    assert sorted([*covered, *OPEN]) == list(NUMBERS)


def test_most_faults_have_tests() -> None:
    """The reasons are exceptions."""
    assert len({one.number for one in shown()}) >= 35


def test_tests_in_other_places_exist() -> None:
    """Where one is renamed, the document must follow."""
    for one in ELSEWHERE:
        module, _, function = one.test.partition("::")
        assert callable(getattr(importlib.import_module(module), function)), one.test


def test_document_is_made_of_the_tests() -> None:
    """After a change, ``make docs`` writes it anew."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lvs_agent.checks.kinds.none import Settings
from lvs_agent.model.check import Failed, FailureReason, Passed
from tests.checks.servers import result_of, run, spec


def test_it_says_what_it_was_told_to() -> None:
    """Up by default, down on demand."""
    assert run(result_of(spec("none"))) == Passed("always up by configuration")
    assert run(result_of(spec("none", result="down"))) == Failed(FailureReason.EXEC, "always down by configuration")


def test_other_words_are_refused() -> None:
    """There is no third state to ask for."""
    with pytest.raises(ValidationError, match='must be "up" or "down"'):
        Settings.model_validate({"result": "maybe"})

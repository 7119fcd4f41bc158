from __future__ import annotations

from pathlib import Path

import pytest

from lvs_agent.config import parse_config
from lvs_agent.config.unexpected import unexpected_is_refused
from lvs_agent.errors import ConfigError, InternalConfigError, Problem

PATH = Path("/etc/lvs-agent/config.toml")


def test_unexpected_exception_becomes_a_refusal_with_place_and_remedy() -> None:
    """The operator learns the file, what happened, where, and what to do; the cause is chained."""
    with pytest.raises(InternalConfigError) as refused, unexpected_is_refused(PATH):
        raise OverflowError("number\ntoo large")
    (problem,) = refused.value.problems

    assert problem.path == str(PATH)
    assert problem.text.startswith("internal error: OverflowError: number too large; ")
    assert "please report it with the file" in problem.text
    assert isinstance(refused.value.__cause__, OverflowError)


def test_place_in_our_own_code_is_named() -> None:
    """The innermost of our modules says where to look, whichever library raised."""
    with pytest.raises(InternalConfigError, match=r"internal error: TypeError: .* \(\w+\.py, line \d+\)"):  # noqa: SIM117
        with unexpected_is_refused(PATH):
            parse_config(None, base=PATH.parent)  # type: ignore[arg-type] # a mistake of the program


def test_refusal_that_is_meant_passes() -> None:
    """A ConfigError keeps its own problems."""
    meant = ConfigError([Problem("agent", "is not a table")])
    with pytest.raises(ConfigError) as refused, unexpected_is_refused(PATH):
        raise meant

    assert refused.value is meant

"""Types of settings that several checkers share: texts that go into a line of a protocol, and regular expressions."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from lvs_agent.checks.settings import Secret


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("one line without control characters is wanted")
    return value


def _secret_line(value: Secret) -> Secret:
    text = value.get_secret_value()
    if not text or not text.isprintable():
        raise ValueError("one line without control characters is wanted")
    return value


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as problem:
        raise ValueError(f"not a regular expression: {problem}") from None
    return value


Line = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_line)]
"""A text that is sent as a part of a line: nothing in it can end the line and begin another command."""

SecretLine = Annotated[Secret, AfterValidator(_secret_line)]
"""The same, never printed."""

Regex = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_regex)]
"""A regular expression of Python's."""

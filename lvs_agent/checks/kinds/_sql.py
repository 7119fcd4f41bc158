"""The TOML keys that checks of databases share, and what the answers to them mean."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from lvs_agent.checks.net.dialogue import CheckFailed, printable
from lvs_agent.model.check import Errored, ErrorReason, FailureReason
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Duration, Line, Regex, SecretLine
from lvs_agent.settings.strict import Strict

ANSWER_LIMIT = 262_144
"""Most that is read from a database in one probe, in bytes."""


def _statement(value: str) -> str:
    if "\0" in value or not value.strip():
        raise ValueError("must be a statement without NUL characters")
    return value


class Expectations(Strict):
    """Keys of the ``expect`` table of a database check: what the server must report."""

    read_only: bool | None = None
    """Whether the server must be read-only (true) or must accept writes (false).  Without it, both pass."""
    max_lag: Annotated[Duration, Field(ge=0)] | None = None
    """How far replication may be behind, like "30s".  A server that does not replicate fails."""


class QuerySettings(CheckSettings):
    """Keys that every check of a database has."""

    user: Line
    """User to log in as.  Give it only the rights that the check needs."""
    password: SecretLine | None = None
    """The user's password."""
    query: Annotated[str, Field(max_length=10_000), AfterValidator(_statement)] | None = None
    """One statement; it must return at least one row.  It runs at every check, so choose a cheap one."""
    expect_regex: Regex | None = None
    """Regular expression (Python's) that must match somewhere in the first column of the query's first row."""

    @model_validator(mode="after")
    def _there_is_a_query(self) -> Self:
        if self.expect_regex is not None and self.query is None:
            raise ValueError("expect_regex needs query")
        return self

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """``expect_regex`` compiled."""
        return None if self.expect_regex is None else re.compile(self.expect_regex)

    def words(self, text: str) -> str:
        """The server's words in one line, and without the password, should it repeat it."""
        secret = "" if self.password is None else self.password.get_secret_value()
        return printable(" ".join((text.replace(secret, "***") if secret else text).split()))


def row_fits(settings: QuerySettings, row: tuple[object, ...] | None) -> str:
    """What the first row of the query says, in words.  Raises CheckFailed."""
    if row is None:
        raise CheckFailed(FailureReason.CONTENT, "the query returned no row")
    if settings.pattern is not None:
        first = row[0] if row else None
        text = first.decode("utf-8", "replace") if isinstance(first, bytes) else "" if first is None else str(first)
        if not settings.pattern.search(text[:ANSWER_LIMIT]):
            raise CheckFailed(
                FailureReason.CONTENT, "expect_regex does not match the first column of the query's first row"
            )
    return "the query returned a row"


def read_only_fits(expect: Expectations, *, read_only: bool) -> str:
    """What it means that the server takes no writes, or takes them.  Raises CheckFailed."""
    words = "the server is read-only" if read_only else "the server accepts writes"
    if read_only is not expect.read_only:
        raise CheckFailed(FailureReason.CONTENT, words)
    return words


def lag_fits(expect: Expectations, lag_s: float) -> str:
    """What it means that the server is ``lag_s`` seconds behind.  Raises CheckFailed."""
    words = f"{lag_s:.3g} s behind" if lag_s < 1_000 else f"{lag_s:.0f} s behind"
    if expect.max_lag is not None and lag_s > expect.max_lag:
        raise CheckFailed(FailureReason.CONTENT, f"{words}, which is more than {expect.max_lag:g} s")
    return words


def missing(extra: str, problem: ImportError) -> Errored:
    """What a probe says whose driver cannot be imported, because ``extra`` is not installed."""
    return Errored(ErrorReason.FILE_MISSING, f"install lvs-agent[{extra}]: {problem}")

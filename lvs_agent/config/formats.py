"""What a format of configuration files must do, and the formats that a program reads.

A format makes tables of a file, laid out like those of the TOML; everything after that is the same for every format.
Which formats there are besides TOML is decided by the composition root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lvs_agent.config.findings import ProblemFormatter, by_path
from lvs_agent.errors import ConfigError, Problem

_OPTIONAL: Mapping[str, str] = {".cf": "ldirectord"}
"""Suffixes that belong to a format which an installation may lack: they are never taken for TOML."""


def _joined(problems: Sequence[Problem], more: Sequence[Problem]) -> tuple[Problem, ...]:
    return (*problems, *more)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTables:
    """What a format has made of a file.

    ``errors``: why ``tables`` are not all that the file says; they are validated all the same, so that every problem
    is reported at once.  ``formatter``: how findings about ``tables`` are reported.  ``merged``: the problems of the
    format and those of the tables, in the order in which they are reported.
    """

    tables: Mapping[str, Any]
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    formatter: ProblemFormatter = by_path
    merged: Callable[[Sequence[Problem], Sequence[Problem]], tuple[Problem, ...]] = _joined


class ConfigFormat(Protocol):
    """One way to write a configuration file."""

    @property
    def name(self) -> str:
        """The word for it in ``--config-format``."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Names of files that end in one of these are in this format, as ``".cf"``."""

    def read(self, content: bytes, *, name: str) -> SourceTables:
        """The tables of a file with this ``content``, whose base name is ``name``.

        Raises ConfigError where nothing can be made of it.
        """


class Formats:
    """The formats that a program reads: ``usual``, for every name that says nothing else, and ``others``."""

    def __init__(self, usual: ConfigFormat, *others: ConfigFormat) -> None:
        self._usual = usual
        self._by_name = {each.name: each for each in (usual, *others)}
        self._by_suffix = {suffix: each for each in others for suffix in each.suffixes}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    @property
    def rule(self) -> str:
        """Which format is taken where none is named, in words."""
        cases = [f"{each.name} for a name in {suffix}, " for suffix, each in self._by_suffix.items()]
        return f"{''.join(cases)}else {self._usual.name}" if cases else self._usual.name

    def of(self, path: Path, name: str | None = None) -> ConfigFormat:
        """The format called ``name`` (one of ``names``), or, where that is None, the one that the path says.

        Raises ConfigError where the path says one that this installation lacks.
        """
        if name is not None:
            return self._by_name[name]
        found = self._by_suffix.get(path.suffix)
        if found is None and path.suffix in _OPTIONAL:
            lacking = _OPTIONAL[path.suffix]
            text = f"is in the format of {lacking}, which this installation of lvs-agent cannot read"
            remedy = (
                f"install lvs-agent with the package lvs_agent.{lacking}, or give --config-format {self._usual.name}"
            )
            raise ConfigError([Problem(str(path), f"{text}; {remedy}")])
        return found or self._usual

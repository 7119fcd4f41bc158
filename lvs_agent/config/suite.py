"""The checks that hold at some place of the configuration file: the one without a name, and those that have one.

Each inherits key by key from the one of the same name further out (``inheritance``).  Where only checks with names are
written, there is no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lvs_agent.config.checks import CheckReader
from lvs_agent.config.findings import Location
from lvs_agent.config.inheritance import WrittenCheck

_NOTHING = WrittenCheck()
MAIN = ""
"""What stands for the name of the check that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """``main`` is the check without a name, which counts unless nothing was written of it and others were."""

    main: WrittenCheck = _NOTHING
    named: Mapping[str, WrittenCheck] = field(default_factory=lambda: MappingProxyType({}))

    def members(self) -> Iterator[tuple[str, WrittenCheck]]:
        """The checks that hold, each with its name."""
        if self.main is not _NOTHING or not self.named:
            yield MAIN, self.main
        yield from self.named.items()

    def get(self, name: str) -> WrittenCheck:
        """The check called ``name``, or one of which nothing is written."""
        return self.main if name == MAIN else self.named.get(name, _NOTHING)

    def inside(self, table: object, *, at: Location, checks: CheckReader) -> Suite:
        """What holds inside ``table``, which stands at ``at``; this suite itself where it writes nothing."""
        if not isinstance(table, Mapping):
            return self
        main = checks.inherit(self.main, table.get("check"), at=(*at, "check"))
        written = table.get("checks")
        named = {
            name: checks.inherit(self.get(name), check, at=place_of(name, at=at))
            for name, check in (written.items() if isinstance(written, Mapping) else ())
        }
        if main is self.main and not named:
            return self
        return Suite(main=main, named={**self.named, **named})


def place_of(name: str, *, at: Location) -> Location:
    """Where the check called ``name`` of the table at ``at`` is written."""
    return (*at, "check") if name == MAIN else (*at, "checks", name)

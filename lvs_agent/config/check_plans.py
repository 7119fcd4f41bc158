"""From a check as written to a plan: secrets revealed, keys validated by the models of their kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lvs_agent.checks.kinds import Checker
from lvs_agent.config.check_sets import Checkers, CheckSet, WrittenCheck, belongs, place_of
from lvs_agent.config.findings import Finding, Location, Report
from lvs_agent.config.meaning import fingerprint
from lvs_agent.config.messages import findings
from lvs_agent.config.schema.check import COMMON_KEYS, CheckKeys
from lvs_agent.config.schema.keys import known_keys
from lvs_agent.config.schema.secret_keys import secret_places, variants
from lvs_agent.config.secrets import SecretSource, reveal, without
from lvs_agent.config.suggest import enumerate_words, must_be_one_of, unknown_key
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import BASE

M = TypeVar("M", bound=BaseModel)

_OF_A_SERVER = frozenset({"type", "address", "port", "on_failure", "failed_weight"})
"""Keys that say which checker runs, against what, and what it does to its real server: not how it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """A check that only lacks the server to be pointed at.

    ``fingerprint`` is equal for plans that mean the same, address and port left aside.  ``place`` is the table that
    fixed the type, or lacks one.  ``written`` names the keys that were written rather than left at their defaults.
    """

    checker: Checker
    keys: CheckKeys
    settings: CheckSettings
    fingerprint: str
    place: Location
    written: Mapping[str, Location]

    @property
    def down_interval_s(self) -> float:
        return self.keys.interval if self.keys.down_interval is None else self.keys.down_interval


class CheckPlanner:
    """Makes plans of written checks, and reports what is wrong with them."""

    def __init__(self, *, checkers: Checkers, source: SecretSource, report: Report) -> None:
        self._checkers = checkers
        self._source = source
        self._report = report

    def plans(self, checks: CheckSet, *, at: Location) -> tuple[CheckPlan | None, ...]:
        """The plans of all checks that hold at the table ``at``; None for each that cannot be made."""
        return tuple(self.plan(check, at=place_of(name, at=at), complete=True) for name, check in checks.members())

    def look(self, checks: CheckSet, *, outer: CheckSet, at: Location) -> None:
        """Report the problems of the checks that the table at ``at`` sets, even if no real server uses them.

        More keys may come further in, so that nothing is missing yet.
        """
        for name, check in checks.members():
            if check is not outer.get(name):
                self.plan(check, at=place_of(name, at=at), complete=False)

    def plan(self, written: WrittenCheck, *, at: Location, complete: bool) -> CheckPlan | None:
        """The plan for ``written``, or None after reporting why there is none.

        ``at``: the table that lacks a required key, where no table names the type.  ``complete`` False: more keys may
        come further in, so that nothing is missing yet.
        """
        if written.type is None and "type" in written.places:
            text = must_be_one_of(tuple(self._checkers), given=written.values["type"])
            self._report.error(written.places["type"], text)
        if written.type is None:
            return None
        checker = self._checkers[written.type]
        place = written.places["type"][:-1] if "type" in written.places else at
        keys, settings, wrong = self._read(checker, written)
        wrong = [found for found in wrong if complete or not found.location or found.location[0] in written.values]
        self._report.add(_in_file(found, written.places, place) for found in wrong)
        if keys is None or settings is None or wrong:
            return None
        return CheckPlan(
            checker=checker,
            keys=keys,
            settings=settings,
            fingerprint=_fingerprint(checker, keys, settings),
            place=place,
            written=written.places,
        )

    def _read(
        self, checker: Checker, written: WrittenCheck
    ) -> tuple[CheckKeys | None, CheckSettings | None, list[Finding]]:
        common = {key: value for key, value in written.values.items() if key in COMMON_KEYS}
        own = {key: value for key, value in written.values.items() if key not in COMMON_KEYS}
        own = reveal(own, model=checker.settings, at=written.places, source=self._source, report=self._report)
        keys, wrong = self._validated(CheckKeys, common)
        settings, more = self._validated(checker.settings, own)
        if "port" in common and not checker.settings.uses_port:
            wrong.append(Finding(("port",), f"must not be set: checks of type '{checker.kind}' have no port"))
        if common.get("connects_between") and not checker.settings.uses_port:
            wrong.append(
                Finding(("connects_between",), f"must not be set: checks of type '{checker.kind}' have no port")
            )
        return keys, settings, wrong + [self._explained(found, checker=checker, own=own) for found in more]

    def _validated(self, model: type[M], table: dict[str, Any]) -> tuple[M | None, list[Finding]]:
        try:
            return model.model_validate(table, context={BASE: self._source.base}), []
        except ValidationError as error:
            return None, findings(error, model=model, table=table, at=())

    def _explained(self, found: Finding, *, checker: Checker, own: Mapping[str, Any]) -> Finding:
        """``found`` without secrets, and with advice that requires the knowledge of every checker."""
        if found.on_table and len(found.location) == 1:
            return Finding(found.location, self._unknown(str(found.location[0]), checker), on_table=True)
        return Finding(found.location, without(found.text, own, model=checker.settings), found.on_table)

    def _unknown(self, key: str, checker: Checker) -> str:
        others = [f"'{other.kind}'" for other in self._checkers.values() if belongs(key, other)]
        if others:
            return f"unknown key '{key}' for a check of type '{checker.kind}'; {enumerate_words(others)} has it"
        secret = secret_places(checker.settings).keys
        forms = [form for name in sorted(secret) for form in variants(name)]
        return unknown_key(key, known=[*sorted(COMMON_KEYS), *known_keys(checker.settings), *forms])


def _fingerprint(checker: Checker, keys: CheckKeys, settings: CheckSettings) -> str:
    own = {key: getattr(keys, key) for key in COMMON_KEYS - _OF_A_SERVER}
    own["down_interval"] = keys.interval if keys.down_interval is None else keys.down_interval
    return fingerprint([checker.kind, settings, own])


def _in_file(found: Finding, places: Mapping[str, Location], lacking: Location) -> Finding:
    key = str(found.location[0]) if found.location else ""
    start = places.get(key, (*lacking, key) if key else lacking)
    return Finding((*start, *found.location[1:]), found.text, found.on_table)

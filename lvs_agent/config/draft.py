"""The file's tables read one by one, so that a mistake in one table hides nothing that is wrong with another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from lvs_agent.config.agent_schema import AgentTable, LogTable, MetricsTable
from lvs_agent.config.checks import CheckPlan, CheckReader
from lvs_agent.config.findings import Location, Report
from lvs_agent.config.schema import (
    DefaultsTable,
    File,
    RealServerTable,
    VirtualServiceTable,
)
from lvs_agent.config.sentences import findings
from lvs_agent.config.suggest import nearest
from lvs_agent.config.suite import Suite, place_of
from lvs_agent.settings.strict import Strict

M = TypeVar("M", bound=Strict)

_INDEPENDENT = frozenset(
    {
        "name", "comment", "tunnel", "weight", "on_down", "initial", "readd_quiesced", "checked", "pass_when", "check",
        "checks", "one_packet",
        "quorum", "sorry_server", "sorry_command", "on_stop", "monitor_file", "monitor_label",
    }
)  # fmt: skip
_DEPENDED_ON = tuple(sorted({*VirtualServiceTable.model_fields, *RealServerTable.model_fields} - _INDEPENDENT))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDraft:
    """One real server as written, with the checks that hold for it.  None: reported as unusable."""

    at: Location
    table: RealServerTable | None
    checks: tuple[CheckPlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDraft:
    """One virtual service as written; ``table.real_server`` is empty, the servers are in ``servers``."""

    at: Location
    table: VirtualServiceTable | None
    servers: tuple[ServerDraft, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The whole file as written."""

    agent: AgentTable
    metrics: MetricsTable
    log: LogTable
    defaults: DefaultsTable
    services: tuple[ServiceDraft, ...]


def read_draft(tables: Mapping[str, Any], *, checks: CheckReader, report: Report) -> Draft:
    """Read every table of the file.  What cannot be used is reported, and left out of the draft."""
    reader = _Reader(checks, report)
    reader.known_tables(tables)
    suite = reader.outer_suite(Suite(), tables.get("defaults"), at=("defaults",))
    services = reader.elements(tables, "virtual_service", at=())
    return Draft(
        agent=reader.single(AgentTable, tables, "agent"),
        metrics=reader.single(MetricsTable, tables, "metrics"),
        log=reader.single(LogTable, tables, "log"),
        defaults=reader.single(DefaultsTable, tables, "defaults"),
        services=tuple(reader.service(service, suite, at=at) for at, service in services),
    )


class _Reader:
    def __init__(self, checks: CheckReader, report: Report) -> None:
        self._checks = checks
        self._report = report

    def known_tables(self, tables: Mapping[str, Any]) -> None:
        strangers = {key: value for key, value in tables.items() if key not in File.model_fields}
        if strangers:
            self._validated(File, strangers, at=())

    def single(self, model: type[M], tables: Mapping[str, Any], key: str) -> M:
        return self._validated(model, tables.get(key, {}), at=(key,)) or model()

    def outer_suite(self, outer: Suite, table: object, *, at: Location) -> Suite:
        """The checks that hold inside ``table``; what is wrong with them is reported even if nobody uses them."""
        inside = outer.inside(table, at=at, checks=self._checks)
        for name, check in inside.members():
            if check is not outer.get(name):
                self._checks.plan(check, at=place_of(name, at=at), complete=False)
        return inside

    def elements(self, table: Mapping[str, Any], key: str, *, at: Location) -> list[tuple[Location, object]]:
        array = table.get(key, [])
        if isinstance(array, list):
            return [((*at, key, index), element) for index, element in enumerate(array)]
        brackets = ".".join([*(part for part in at if isinstance(part, str)), key])
        self._report.error((*at, key), f"must be an array of tables; write [[{brackets}]]")
        return []

    def service(self, service: object, defaults: Suite, *, at: Location) -> ServiceDraft:
        own = _without_servers(service)
        suite = self.outer_suite(defaults, service, at=at)
        servers = self.elements(service, "real_server", at=at) if isinstance(service, Mapping) else []
        inherited = _Inherited(self._checks, suite, at)
        return ServiceDraft(
            at=at,
            table=self._validated(VirtualServiceTable, own, at=at),
            servers=tuple(self._server(server, inherited, at=place) for place, server in servers),
        )

    def _server(self, server: object, inherited: _Inherited, *, at: Location) -> ServerDraft:
        return ServerDraft(
            at=at,
            table=self._validated(RealServerTable, server, at=at),
            checks=inherited.plans(server, at=at),
        )

    def _validated(self, model: type[M], table: object, *, at: Location) -> M | None:
        try:
            return model.model_validate(table)
        except ValidationError as error:
            found = findings(error, model=model, table=table, at=at)
        self._report.add(found)
        broken = {each.location[len(at)] for each in found if len(each.location) > len(at)}
        if not isinstance(table, Mapping) or not broken or not all(map(_is_independent, broken)):
            return None
        return model.model_validate({key: value for key, value in table.items() if key not in broken})


class _Inherited:
    """A service's checks, made once for all real servers that have none of their own."""

    def __init__(self, checks: CheckReader, suite: Suite, at: Location) -> None:
        self._checks = checks
        self._suite = suite
        self._at = at
        self._shared: tuple[CheckPlan, ...] | None = None

    def plans(self, server: object, *, at: Location) -> tuple[CheckPlan, ...]:
        inside = self._suite.inside(server, at=at, checks=self._checks)
        if inside is not self._suite:
            return self._made(inside, at)
        if self._shared is None:
            self._shared = self._made(self._suite, self._at)
        return self._shared

    def _made(self, suite: Suite, at: Location) -> tuple[CheckPlan, ...]:
        plans = [self._checks.plan(check, at=place_of(name, at=at), complete=True) for name, check in suite.members()]
        return tuple(plan for plan in plans if plan is not None)


def _is_independent(key: str | int) -> bool:
    """Whether nothing else in a table is judged by this key, or by the one that it was meant to be."""
    return key in _INDEPENDENT or (key not in _DEPENDED_ON and nearest(key, known=_DEPENDED_ON) is None)


def _without_servers(service: object) -> object:
    if not isinstance(service, Mapping):
        return service
    return {key: value for key, value in service.items() if key != "real_server"}

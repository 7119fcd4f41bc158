"""The file's tables read one by one, so that a mistake in one table hides nothing that is wrong with another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from lvs_agent.config.check_plans import CheckPlan, CheckPlanner
from lvs_agent.config.check_sets import Checkers, CheckSet
from lvs_agent.config.findings import Location, Report
from lvs_agent.config.messages import findings
from lvs_agent.config.schema.agent import AgentTable, LogTable, MetricsTable
from lvs_agent.config.schema.keys import Mark, marked
from lvs_agent.config.schema.tables import DefaultsTable, File, RealServerTable, VirtualServiceTable
from lvs_agent.config.secrets import SecretSource
from lvs_agent.config.suggest import nearest
from lvs_agent.settings.scalars import BASE
from lvs_agent.settings.strict import Strict

M = TypeVar("M", bound=Strict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDraft:
    """One real server as written, with the checks that hold for it.  None: reported as unusable."""

    at: Location
    table: RealServerTable | None
    checks: tuple[CheckPlan | None, ...]


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


def read_draft(tables: Mapping[str, Any], *, checkers: Checkers, source: SecretSource, report: Report) -> Draft:
    """Read every table of the file.  What cannot be used is reported, and left out of the draft."""
    return _Reader(tables, checkers=checkers, source=source, report=report).draft()


class _Reader:
    def __init__(self, tables: Mapping[str, Any], *, checkers: Checkers, source: SecretSource, report: Report) -> None:
        self._tables = tables
        self._checkers = checkers
        self._planner = CheckPlanner(checkers=checkers, source=source, report=report)
        self._context: dict[str, Path] = {BASE: source.base}
        self._report = report

    def draft(self) -> Draft:
        self._strangers()
        checks = self._inside(CheckSet(), self._tables.get("defaults"), at=("defaults",))
        services = self._elements(self._tables, "virtual_service", at=())
        return Draft(
            agent=self._single(AgentTable, "agent"),
            metrics=self._single(MetricsTable, "metrics"),
            log=self._single(LogTable, "log"),
            defaults=self._single(DefaultsTable, "defaults"),
            services=tuple(self._service(service, checks, at=at) for at, service in services),
        )

    def _strangers(self) -> None:
        strangers = {key: value for key, value in self._tables.items() if key not in File.model_fields}
        if strangers:
            self._validated(File, strangers, at=())

    def _single(self, model: type[M], key: str) -> M:
        return self._validated(model, self._tables.get(key, {}), at=(key,)) or model()

    def _elements(self, table: object, key: str, *, at: Location) -> list[tuple[Location, object]]:
        array = table.get(key, []) if isinstance(table, Mapping) else []
        if isinstance(array, list):
            return [((*at, key, index), element) for index, element in enumerate(array)]
        brackets = ".".join([*(part for part in at if isinstance(part, str)), key])
        self._report.error((*at, key), f"must be an array of tables; write [[{brackets}]]")
        return []

    def _inside(self, outer: CheckSet, table: object, *, at: Location) -> CheckSet:
        """The checks that hold inside ``table``; what is wrong with them is reported even if nobody uses them."""
        inside = outer.inside(table, at=at, checkers=self._checkers)
        self._planner.look(inside, outer=outer, at=at)
        return inside

    def _service(self, service: object, defaults: CheckSet, *, at: Location) -> ServiceDraft:
        checks = self._inside(defaults, service, at=at)
        servers = self._elements(service, "real_server", at=at)
        return ServiceDraft(
            at=at,
            table=self._validated(VirtualServiceTable, _without_servers(service), at=at),
            servers=tuple(self._servers(servers, checks, at=at)),
        )

    def _servers(self, servers: list[tuple[Location, object]], checks: CheckSet, *, at: Location) -> list[ServerDraft]:
        """The real servers of the service at ``at``; its checks are planned once for all that write none."""
        shared: tuple[CheckPlan | None, ...] | None = None
        drafts = []
        for place, server in servers:
            table = self._validated(RealServerTable, server, at=place)
            inside = checks.inside(server, at=place, checkers=self._checkers)
            if inside is not checks:
                plans = self._planner.plans(inside, at=place)
            else:
                plans = shared = self._planner.plans(checks, at=at) if shared is None else shared
            drafts.append(ServerDraft(at=place, table=table, checks=plans))
        return drafts

    def _validated(self, model: type[M], table: object, *, at: Location) -> M | None:
        """``table`` as ``model``; where keys cannot be used that nothing else is judged by, without these."""
        try:
            return model.model_validate(table, context=self._context)
        except ValidationError as error:
            found = findings(error, model=model, table=table, at=at)
        self._report.add(found)
        broken = {each.location[len(at)] for each in found if len(each.location) > len(at)}
        if not isinstance(table, Mapping) or not broken or any(_may_decide(key, model) for key in broken):
            return None
        rest = {key: value for key, value in table.items() if key not in broken}
        return model.model_validate(rest, context=self._context)


def _may_decide(key: str | int, model: type[Strict]) -> bool:
    """Whether other keys of a table are judged by this one, or by the one that it was meant to be."""
    deciding = marked(model, Mark.DECIDES)
    return key in deciding or (key not in model.model_fields and nearest(key, known=sorted(deciding)) is not None)


def _without_servers(service: object) -> object:
    if not isinstance(service, Mapping):
        return service
    return {key: value for key, value in service.items() if key != "real_server"}

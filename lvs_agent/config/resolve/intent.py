"""The whole of the intent, and what services must agree on among each other."""

from __future__ import annotations

from types import MappingProxyType

from lvs_agent.config.draft import Draft, ServerDraft, ServiceDraft
from lvs_agent.config.findings import Location, Report
from lvs_agent.config.resolve.checks import CheckSpecs
from lvs_agent.config.resolve.destination import (
    ServiceContext,
    resolve_real_server,
    resolve_sorry_server,
    tunnel_rules,
)
from lvs_agent.config.resolve.lints import lint_service
from lvs_agent.config.resolve.service import resolve_service, weight_zero_harm
from lvs_agent.config.schema.keys import inherit
from lvs_agent.config.schema.tables import RealServerTable, SorryCommandTable, VirtualServiceTable
from lvs_agent.model.intent import Intent, OnDown, RealServer, SorryCommand, VirtualService
from lvs_agent.model.ipvs import Destination, DestinationKey, ServiceKey


def resolve(draft: Draft, report: Report) -> Intent:
    """What ``draft`` asks for.  Where ``report`` has errors afterwards, the result is only a part of it."""
    return _Resolver(draft, report).intent()


class _Resolver:
    def __init__(self, draft: Draft, report: Report) -> None:
        self._draft = draft
        self._report = report
        self._checks = CheckSpecs(report)

    def intent(self) -> Intent:
        tunnel_rules(self._draft.defaults, at=("defaults",), report=self._report)
        services = [(each.at, self._service(each, each.table)) for each in self._draft.services if each.table]
        made = [(at, service) for at, service in services if service is not None]
        self._unique(made)
        return Intent(services=tuple(service for _, service in made), checks=MappingProxyType(self._checks.by_id))

    def _service(self, draft: ServiceDraft, written: VirtualServiceTable) -> VirtualService | None:
        tunnel_rules(written, at=draft.at, report=self._report)
        table = inherit(inherit(written, self._draft.defaults), self._draft.agent)
        service = resolve_service(table, at=draft.at, report=self._report)
        if service is None:
            return None
        within = ServiceContext(at=draft.at, table=table, service=service)
        self._weight_zero_rules(draft, written, within)
        made = VirtualService(
            name=table.name or str(service.key),
            service=service,
            real_servers=self._servers(draft, within),
            sorry_server=self._sorry_server(within),
            quorum=table.quorum,
            comment=table.comment or "",
            on_stop=table.on_stop,
            sorry_command=_sorry_command(table.sorry_command),
            monitor_file=table.monitor_file,
        )
        if table.quorum > max(1, len(draft.servers)):
            text = f"must be at most the number of real servers ({len(draft.servers)})"
            self._report.error((*draft.at, "quorum"), text)
        lint_service(made, draft=draft, report=self._report)
        return made

    def _sorry_server(self, within: ServiceContext) -> Destination | None:
        sorry, at = within.table.sorry_server, (*within.at, "sorry_server")
        if sorry is None:
            return None
        tunnel_rules(sorry, at=at, report=self._report)
        return resolve_sorry_server(sorry, within=within, at=at, report=self._report)

    def _servers(self, draft: ServiceDraft, within: ServiceContext) -> tuple[RealServer, ...]:
        servers: dict[DestinationKey, RealServer] = {}
        for each in draft.servers:
            if each.table is None:
                continue
            server = self._server(each, each.table, within)
            if server.key in servers:
                self._report.error(
                    (*each.at, "address"),
                    f"must not be repeated: {server.key} is already a real server of this service",
                )
            servers[server.key] = server
        return tuple(servers.values())

    def _server(self, draft: ServerDraft, written: RealServerTable, within: ServiceContext) -> RealServer:
        tunnel_rules(written, at=draft.at, report=self._report)
        table = inherit(written, within.table)
        destination = resolve_real_server(table, written=written, within=within, at=draft.at, report=self._report)
        plans = [plan for plan in draft.checks if plan is not None] if table.checked else []
        deciding, lowering = self._checks.resolve(plans, service=within.service.key, server=destination.key)
        if lowering and not deciding and None not in draft.checks:
            text = 'at least one check must have on_failure = "down": the others only lower the weight'
            self._report.error((*draft.at, "checks"), text)
        return RealServer(
            name=str(destination.key),
            destination=destination,
            checks=deciding,
            lowering=lowering,
            pass_when=table.pass_when,
            on_down=table.on_down,
            initial=table.initial,
            readd_quiesced=table.readd_quiesced,
            monitor_label=table.monitor_label or "",
        )

    def _weight_zero_rules(self, draft: ServiceDraft, written: VirtualServiceTable, within: ServiceContext) -> None:
        harm = weight_zero_harm(within.service)
        if harm is None:
            return
        allowed = written.allow_weight_zero
        complain, verb = (self._report.warning, "should not") if allowed else (self._report.error, "cannot")
        for at, table in ((draft.at, written), *((each.at, each.table) for each in draft.servers)):
            if table is not None and table.on_down is OnDown.QUIESCE:
                complain((*at, "on_down"), f'{verb} be "quiesce": {harm}')
            if table is not None and table.weight == 0:
                complain((*at, "weight"), f"{verb} be 0: {harm}")
        if within.table.on_down is OnDown.QUIESCE and "on_down" not in written.model_fields_set:
            complain((*draft.at, "on_down"), f'{verb} be "quiesce" as in [defaults]: {harm}')
        if within.table.weight == 0 and "weight" not in written.model_fields_set:
            complain((*draft.at, "weight"), f"{verb} be 0 as in [defaults]: {harm}")

    def _unique(self, services: list[tuple[Location, VirtualService]]) -> None:
        keys: dict[ServiceKey, str] = {}
        names: dict[str, ServiceKey] = {}
        for at, service in services:
            key = service.service.key
            if key in keys:
                text = f"must not repeat the virtual service {key}: '{keys[key]}' and '{service.name}' must differ"
                self._report.error(at, text)
            elif service.name in names:
                owner = f"the virtual service {names[service.name]}"
                text = f"must not be '{service.name}', which is already the name of {owner}"
                self._report.error((*at, "name"), text)
            keys.setdefault(key, service.name)
            names.setdefault(service.name, key)


def _sorry_command(table: SorryCommandTable | None) -> SorryCommand | None:
    if table is None:
        return None
    return SorryCommand(command=table.command, user=table.user, timeout_s=table.timeout)

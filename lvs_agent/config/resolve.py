"""From what was written to what is wanted: the whole of the intent, and the rules that several tables share.  Pure."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import MappingProxyType

from lvs_agent.config.checks import CheckPlan
from lvs_agent.config.destinations import (
    Surroundings,
    first_written,
    resolve_real_server,
    resolve_sorry_server,
    tunnel_rules,
)
from lvs_agent.config.draft import Draft, ServerDraft, ServiceDraft
from lvs_agent.config.findings import Location, Report
from lvs_agent.config.lints import lint_check, lint_service
from lvs_agent.config.schema import RealServerTable, SorryCommandTable
from lvs_agent.config.services import resolve_service, weight_zero_harm
from lvs_agent.config.values import OnFailure
from lvs_agent.model.check import CheckId, CheckSpec, Target
from lvs_agent.model.intent import Initial, Intent, OnDown, PassWhen, RealServer, SorryCommand, VirtualService
from lvs_agent.model.ipvs import AddressKey, Destination, DestinationKey, ServiceKey


def resolve(draft: Draft, report: Report, *, base: Path) -> Intent:
    """What ``draft`` asks for.  Where ``report`` has errors afterwards, the result is only a part of it.

    Relative paths start at the directory ``base``.
    """
    return _Resolver(draft, report, base).intent()


class _Resolver:
    def __init__(self, draft: Draft, report: Report, base: Path) -> None:
        self._base = base
        self._draft = draft
        self._report = report
        self._checks: dict[CheckId, CheckSpec] = {}

    def intent(self) -> Intent:
        tunnel_rules(self._draft.defaults.tunnel, at=("defaults",), report=self._report)
        services = [(each.at, self._service(each)) for each in self._draft.services]
        made = [(at, service) for at, service in services if service is not None]
        self._unique(made)
        return Intent(services=tuple(service for _, service in made), checks=MappingProxyType(self._checks))

    def _service(self, draft: ServiceDraft) -> VirtualService | None:
        if draft.table is None:
            return None
        tunnel_rules(draft.table.tunnel, at=draft.at, report=self._report)
        defaults = self._draft.defaults
        service = resolve_service(draft.table, defaults=defaults, at=draft.at, report=self._report)
        if service is None:
            return None
        within = Surroundings(at=draft.at, table=draft.table, defaults=defaults, service=service)
        self._weight_zero_rules(draft, within)
        servers = self._servers(draft, within)
        made = VirtualService(
            name=draft.table.name or str(service.key),
            service=service,
            real_servers=servers,
            sorry_server=self._sorry_server(within),
            quorum=draft.table.quorum,
            comment=draft.table.comment or "",
            on_stop=draft.table.on_stop or self._draft.agent.on_stop,
            sorry_command=_sorry_command(draft.table.sorry_command),
            monitor_file=None if draft.table.monitor_file is None else str(self._base / draft.table.monitor_file),
        )
        if draft.table.quorum > max(1, len(draft.servers)):
            text = f"cannot be reached: the number of real servers is {len(draft.servers)}"
            self._report.error((*draft.at, "quorum"), text)
        lint_service(made, draft=draft, report=self._report)
        return made

    def _sorry_server(self, within: Surroundings) -> Destination | None:
        sorry, at = within.table.sorry_server, (*within.at, "sorry_server")
        if sorry is None:
            return None
        tunnel_rules(sorry.tunnel, at=at, report=self._report)
        return resolve_sorry_server(sorry, within=within, at=at, report=self._report)

    def _servers(self, draft: ServiceDraft, within: Surroundings) -> tuple[RealServer, ...]:
        servers: dict[DestinationKey, RealServer] = {}
        for each in draft.servers:
            if each.table is None:
                continue
            server = self._server(each, each.table, within)
            if server.key in servers:
                self._report.error((*each.at, "address"), f"{server.key} is a real server of this service already")
            servers[server.key] = server
        return tuple(servers.values())

    def _server(self, draft: ServerDraft, table: RealServerTable, within: Surroundings) -> RealServer:
        tunnel_rules(table.tunnel, at=draft.at, report=self._report)
        destination = resolve_real_server(table, within=within, at=draft.at, report=self._report)
        written = (table, within.table, within.defaults)
        checked = first_written((each.checked for each in written), default=True)
        deciding, lowering = self._checks_of(draft if checked else None, within, server=destination.key)
        return RealServer(
            name=str(destination.key),
            destination=destination,
            checks=deciding,
            lowering=lowering,
            pass_when=first_written((each.pass_when for each in written), PassWhen.ALL),
            on_down=first_written((each.on_down for each in written), OnDown.REMOVE),
            initial=first_written((each.initial for each in written), Initial.DOWN),
            readd_quiesced=first_written((each.readd_quiesced for each in written), default=True),
            monitor_label=table.monitor_label or "",
        )

    def _checks_of(
        self, draft: ServerDraft | None, within: Surroundings, *, server: DestinationKey
    ) -> tuple[tuple[CheckId, ...], tuple[tuple[CheckId, int], ...]]:
        """The checks that decide, and those that only lower the weight, with the percent that they leave."""
        if draft is None:
            return (), ()
        deciding: list[CheckId] = []
        lowering: list[tuple[CheckId, int]] = []
        for plan in draft.checks:
            lint_check(plan, key=within.service.key, report=self._report)
            check = self._check(plan, service=within.service.key, server=server)
            if check is not None and plan.keys.on_failure is OnFailure.WEIGHT:
                lowering.append((check, plan.keys.failed_weight))
            elif check is not None:
                deciding.append(check)
        if lowering and not deciding:
            text = 'no check decides whether it is up: one at least needs on_failure = "down"'
            self._report.error((*draft.at, "checks"), text)
        return tuple(deciding), tuple(lowering)

    def _check(self, plan: CheckPlan, *, service: ServiceKey, server: DestinationKey) -> CheckId | None:
        port = _check_port(plan, service=service, server=server)
        if port is None and plan.checker.settings.uses_port:
            text = "is required: neither the real server nor the service has a port that could be checked"
            self._report.error((*plan.place, "port"), text)
            return None
        wants = plan.checker.settings.wants_identity
        target = Target(
            address=plan.keys.address or server.address,
            port=port,
            settings=plan.settings,
            service=service if wants else None,
            server=server if wants else None,
        )
        spec = _spec(plan, target)
        self._checks.setdefault(spec.id, spec)
        return spec.id

    def _weight_zero_rules(self, draft: ServiceDraft, within: Surroundings) -> None:
        harm = weight_zero_harm(within.service)
        if harm is None:
            return
        allowed = within.table.allow_weight_zero
        complain, verb = (self._report.warning, "should not") if allowed else (self._report.error, "cannot")
        for at, written in ((draft.at, within.table), *((each.at, each.table) for each in draft.servers)):
            if written is not None and written.on_down is OnDown.QUIESCE:
                complain((*at, "on_down"), f'{verb} be "quiesce": {harm}')
            if written is not None and written.weight == 0:
                complain((*at, "weight"), f"{verb} be 0: {harm}")
        if within.defaults.on_down is OnDown.QUIESCE and within.table.on_down is None:
            complain((*draft.at, "on_down"), f'{verb} be "quiesce" as in [defaults]: {harm}')
        if within.defaults.weight == 0 and within.table.weight is None:
            complain((*draft.at, "weight"), f"{verb} be 0 as in [defaults]: {harm}")

    def _unique(self, services: list[tuple[Location, VirtualService]]) -> None:
        keys: dict[ServiceKey, str] = {}
        names: dict[str, ServiceKey] = {}
        for at, service in services:
            key = service.service.key
            if key in keys:
                text = f"is the virtual service {key} once more: '{keys[key]}' and '{service.name}' must differ"
                self._report.error(at, text)
            elif service.name in names:
                text = f"'{service.name}' is the name of the virtual service {names[service.name]} already"
                self._report.error((*at, "name"), text)
            keys.setdefault(key, service.name)
            names.setdefault(service.name, key)


def _sorry_command(table: SorryCommandTable | None) -> SorryCommand | None:
    if table is None:
        return None
    return SorryCommand(command=table.command, user=table.user, timeout_s=table.timeout)


def _check_port(plan: CheckPlan, *, service: ServiceKey, server: DestinationKey) -> int | None:
    if not plan.checker.settings.uses_port:
        return None
    service_port = service.port if isinstance(service, AddressKey) else 0
    return plan.keys.port or server.port or service_port or plan.settings.usual_port


def _spec(plan: CheckPlan, target: Target) -> CheckSpec:
    meaning = f"{plan.fingerprint} {target.address} {target.port} {target.service} {target.server}"
    return CheckSpec(
        id=CheckId(hashlib.sha256(meaning.encode()).hexdigest()[:16]),
        kind=plan.checker.kind,
        target=target,
        interval_s=plan.keys.interval,
        down_interval_s=plan.down_interval_s,
        timeout_s=plan.keys.timeout,
        rise=plan.keys.rise,
        fall=plan.keys.fall,
        connects_between=plan.keys.connects_between,
        fast_interval_s=plan.keys.fast_interval,
        gives_weight=plan.checker.settings.gives_weight,
    )

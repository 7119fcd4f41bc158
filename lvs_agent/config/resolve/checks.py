"""The checks of a real server: what the engine is to run, and what each check decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lvs_agent.config.check_plans import CheckPlan
from lvs_agent.config.findings import Report
from lvs_agent.config.resolve.lints import lint_check
from lvs_agent.config.schema.values import OnFailure
from lvs_agent.model.check import CheckId, CheckSpec, Target
from lvs_agent.model.ipvs import AddressKey, DestinationKey, ServiceKey

Decisions = tuple[tuple[CheckId, ...], tuple[tuple[CheckId, int], ...]]
"""The checks that decide, and those that only lower the weight, with the percent of it that they leave."""


class CheckSpecs:
    """The checks of all real servers; what is checked in the same way for several of them is one check."""

    def __init__(self, report: Report) -> None:
        self.by_id: dict[CheckId, CheckSpec] = {}
        self._report = report

    def resolve(self, plans: Iterable[CheckPlan], *, service: ServiceKey, server: DestinationKey) -> Decisions:
        """Make ``plans`` checks of ``server``, and say what they decide."""
        deciding: list[CheckId] = []
        lowering: list[tuple[CheckId, int]] = []
        for plan in plans:
            lint_check(plan, key=service, report=self._report)
            check = self._add(plan, service=service, server=server)
            if check is not None and plan.keys.on_failure is OnFailure.WEIGHT:
                lowering.append((check, plan.keys.failed_weight))
            elif check is not None:
                deciding.append(check)
        return tuple(deciding), tuple(lowering)

    def _add(self, plan: CheckPlan, *, service: ServiceKey, server: DestinationKey) -> CheckId | None:
        port = _port(plan, service=service, server=server)
        if port is None and plan.checker.settings.uses_port:
            text = "is required: neither the real server nor the service has a port to check"
            self._report.error((*plan.place, "port"), text)
            return None
        needs_identity = plan.checker.settings.wants_identity
        target = Target(
            address=plan.keys.address or server.address,
            port=port,
            settings=plan.settings,
            service=service if needs_identity else None,
            server=server if needs_identity else None,
        )
        spec = _spec(plan, target)
        self.by_id.setdefault(spec.id, spec)
        return spec.id


def _port(plan: CheckPlan, *, service: ServiceKey, server: DestinationKey) -> int | None:
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

"""The content of the state as frozen types, and how a configuration becomes part of it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lvs_agent.control.ledger import Ledger
from lvs_agent.core.health import Health, combine
from lvs_agent.core.share import may_ask_for_a_share
from lvs_agent.core.snapshot import ConfigStatus, ReconcileStatus, ServerKey, ServerStatus, SorryCalls
from lvs_agent.core.tally import settle
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec
from lvs_agent.model.intent import Intent, RealServer, VirtualService
from lvs_agent.model.ipvs import ServiceKey

Users = Mapping[CheckId, Sequence[tuple[VirtualService, RealServer]]]
"""The real servers that use each check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What readers see.  ``unreported``: number of checks that have not run yet.  ``owned``: the agent's services."""

    intent: Intent = field(default_factory=lambda: Intent(checks={}))
    config: ConfigStatus
    checks: Mapping[CheckId, Ledger] = field(default_factory=dict)
    servers: dict[ServerKey, ServerStatus] = field(default_factory=dict)
    unreported: int = 0
    owned: frozenset[ServiceKey]
    maintained: frozenset[ServerKey] = frozenset()
    reconcile: ReconcileStatus = field(default_factory=ReconcileStatus)
    sorry_calls: SorryCalls = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """A configuration that is ready to be put in force: all steps that take time or may fail are done."""

    facts: Facts
    names: Mapping[ServiceKey, str]
    users: Users
    with_shares: Mapping[ServerKey, RealServer]


@dataclass(frozen=True, slots=True)
class ServerTurn:
    """The health of a real server changed to ``health``.  ``is_news``: an earlier process did not know this health."""

    service: VirtualService
    server: RealServer
    before: Health
    health: Health
    is_news: bool


@dataclass(frozen=True, slots=True)
class Noted:
    """What a report has changed.

    ``before`` is the previous report, ``turned`` says whether the health of the check has changed, ``health`` is its
    health now, and ``servers`` are the real servers with changed health.
    """

    report: CheckReport
    spec: CheckSpec
    before: CheckReport | None
    turned: bool
    health: Health
    servers: tuple[ServerTurn, ...] = ()


def adoption_of(
    intent: Intent, config: ConfigStatus, *, before: Facts, names: Mapping[ServiceKey, str], at: float
) -> Adoption:
    """Make ``intent`` ready to be in force from ``at`` on.  Unchanged parts keep their health and their counters."""
    users: dict[CheckId, list[tuple[VirtualService, RealServer]]] = {check: [] for check in intent.checks}
    checks = {check: before.checks.get(check) or Ledger() for check in intent.checks}
    servers: dict[ServerKey, ServerStatus] = {}
    with_shares: dict[ServerKey, RealServer] = {}
    for service in intent.services:
        for server in service.real_servers:
            key = (service.service.key, server.key)
            servers[key] = settle(before.servers.get(key, ServerStatus()), health_of(server, checks), at=at)
            for check in server.all_checks:
                users[check].append((service, server))
            if may_ask_for_a_share(server, intent.checks):
                with_shares[key] = server
    owned = before.owned | intent.names.keys()
    facts = replace(
        before,
        intent=intent,
        config=config,
        checks=checks,
        servers=servers,
        unreported=sum(ledger.last is None for ledger in checks.values()),
        owned=owned,
    )
    known = {key: name for key, name in {**names, **intent.names}.items() if key in owned}
    return Adoption(facts=facts, names=known, users=users, with_shares=with_shares)


def health_of(server: RealServer, checks: Mapping[CheckId, Ledger]) -> Health:
    """The health of ``server``, from all its checks."""
    return combine((checks[check].state.health for check in server.checks), pass_when=server.pass_when)

"""What the state holds, frozen, and how a configuration becomes part of it.  Nothing here changes anything."""

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
"""The real servers that each check is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What readers see.  ``unreported``: checks that have not run yet.  ``owned``: services that are ours."""

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
    """A configuration, ready to be put in force: everything that takes time or may fail has been done."""

    facts: Facts
    names: Mapping[ServiceKey, str]
    users: Users
    with_shares: Mapping[ServerKey, RealServer]


@dataclass(frozen=True, slots=True)
class ServerTurn:
    """The health of a real server has become ``health``.  ``is_news``: an earlier process did not know it so."""

    service: VirtualService
    server: RealServer
    before: Health
    health: Health
    is_news: bool


@dataclass(frozen=True, slots=True)
class Noted:
    """What a report has changed: ``before`` is the report before it, ``turned`` whether the check's health is another
    one, ``health`` what it is, and ``servers`` those whose health is another one.
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
    """``intent``, to be in force from ``at`` on; what is unchanged in it keeps its health and its counters."""
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
    """What the checks of ``server`` say together."""
    return combine((checks[check].state.health for check in server.checks), pass_when=server.pass_when)

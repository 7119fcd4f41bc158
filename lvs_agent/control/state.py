"""The one mutable object of the program: everything that the agent knows.

Rules of this file:

- Only the methods below "what has happened" change the state, and only in the thread of the loop.
- Each of these methods is one change: a reader sees all of it or nothing (``changes``).
- What readers see is one frozen ``Facts``, replaced whole.  Only two things in it are replaced piece by piece, because
  they are large: the records of the checks, and the statuses of the real servers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from lvs_agent.clock import Clock
from lvs_agent.control.changes import Changes
from lvs_agent.control.facts import Adoption, Facts, Noted, ServerTurn, Users, adoption_of, health_of
from lvs_agent.control.ledger import Ledger, Record, records_of, status_of
from lvs_agent.control.memory import Memory
from lvs_agent.core.condition import ServiceCondition
from lvs_agent.core.decide import History
from lvs_agent.core.health import Health
from lvs_agent.core.share import share_of
from lvs_agent.core.snapshot import (
    ConfigStatus,
    EngineStatus,
    ReconcileStatus,
    ServerKey,
    ServerStatus,
    Snapshot,
    SorryCalls,
    Vitals,
)
from lvs_agent.core.tally import settle
from lvs_agent.model.check import CheckId, CheckReport, CheckSpec, Errored
from lvs_agent.model.intent import Intent, RealServer, VirtualService
from lvs_agent.model.ipvs import ServiceKey


class AgentState:
    """The configuration, the results of the checks, and the last round."""

    def __init__(self, *, clock: Clock, writes: bool, intent: Intent, config: ConfigStatus, memory: Memory) -> None:
        self.writes = writes
        self._clock = clock
        self._started_at = clock.now()
        self._changes = Changes()
        self._remembered = dict(memory.servers)
        self._seen = set(memory.servers)
        self._withdrawn = memory.withdrawn
        self._sorry_started = memory.sorry
        self._names: Mapping[ServiceKey, str] = {}
        self._users: Users = {}
        self._with_shares: Mapping[ServerKey, RealServer] = {}
        lost = ServiceCondition(quorum_lost=True)
        self._facts = Facts(
            config=config,
            owned=memory.owned,
            reconcile=ReconcileStatus(conditions=dict.fromkeys(memory.below_quorum, lost)),
        )
        self.configuration_adopted(self.prepare(intent, config))

    # --- what has happened ----------------------------------------------------------------------------------------

    def checks_reported(self, reports: Iterable[CheckReport]) -> list[Noted]:
        """Note ``reports``, and return those that changed something.  Reports of unknown checks are ignored."""
        noted: list[Noted] = []
        first = 0
        with self._changes:
            checks, specs = self._facts.checks, self._facts.intent.checks
            for report in reports:
                spec = specs.get(report.check)
                if spec is None:
                    continue  # a probe that ended after its check was removed from the configuration
                ledger = checks[report.check]
                before = ledger.last
                turned = ledger.note(report, rise=spec.rise, fall=spec.fall)
                first += before is None
                if turned or before is None or _says_more(report, before, spec):
                    servers = tuple(self._turns_of(report)) if turned else ()
                    noted.append(Noted(report, spec, before, turned, ledger.state.health, servers))
            if first:
                self._facts = replace(self._facts, unreported=self._facts.unreported - first)
        return noted

    def round_failed(self, error: str, *, conditions: Mapping[ServiceKey, ServiceCondition]) -> None:
        """The table could not be read; nothing was written.  ``conditions``: the conditions of the services now."""
        status = self._facts.reconcile
        failed = replace(status, errors=status.errors + 1, last_error=error, conditions=conditions)
        with self._changes:
            self._facts = replace(self._facts, reconcile=failed)

    def round_ended(
        self,
        reconcile: ReconcileStatus,
        *,
        decided: Collection[ServerKey],
        withdrawn: frozenset[ServerKey],
        deleted: AbstractSet[ServiceKey],
    ) -> None:
        """A round has ended with the status ``reconcile``.

        ``decided``: the real servers in its scope; ``withdrawn``: real servers whose rows others have deleted and that
        the agent does not add again; ``deleted``: services that were deleted from the table, which the agent no longer
        owns unless they are configured.
        """
        with self._changes:
            owned = self._facts.owned - (deleted - self._facts.intent.names.keys()) if deleted else self._facts.owned
            self._facts = replace(self._facts, reconcile=reconcile, owned=owned)
            self._seen.update(decided)
            self._withdrawn = withdrawn

    def maintenance_changed(self, servers: frozenset[ServerKey]) -> None:
        """``servers`` are in maintenance now, and no others."""
        with self._changes:
            self._facts = replace(self._facts, maintained=servers)

    def sorry_commands_called(self, *, started: frozenset[ServiceKey], calls: SorryCalls) -> None:
        """``started``: the services whose last call was ``start``; ``calls``: those that have ended, by outcome."""
        with self._changes:
            self._sorry_started = started
            self._facts = replace(self._facts, sorry_calls=calls)

    def configuration_adopted(self, adoption: Adoption) -> None:
        """Put ``adoption`` in force, which ``prepare`` has made since the last change; this cannot fail."""
        with self._changes:
            self._facts, self._names = adoption.facts, adoption.names
            self._users, self._with_shares = adoption.users, adoption.with_shares

    def configuration_confirmed(self, config: ConfigStatus) -> None:
        """A file was read that means the same as the configuration in force."""
        with self._changes:
            self._facts = replace(self._facts, config=config)

    def configuration_refused(self, problems: Iterable[str]) -> None:
        """A file was read that cannot be used; the configuration in force stays."""
        config = self._facts.config
        refused = replace(
            config,
            last_reload_successful=False,
            reload_failures=config.reload_failures + 1,
            problems=tuple(problems),
        )
        with self._changes:
            self._facts = replace(self._facts, config=refused)

    def services_removed(self, services: Collection[ServiceKey]) -> None:
        """``services`` are to be deleted from the table, because the agent stops."""
        intent = self._facts.intent
        kept = tuple(service for service in intent.services if service.service.key not in services)
        with self._changes:
            self._facts = replace(self._facts, intent=replace(intent, services=kept))

    # --- what the loop reads --------------------------------------------------------------------------------------

    @property
    def intent(self) -> Intent:
        return self._facts.intent

    @property
    def config(self) -> ConfigStatus:
        return self._facts.config

    @property
    def in_force(self) -> Adoption:
        """The configuration in force, to put it in force again if a new one fails."""
        return Adoption(facts=self._facts, names=self._names, users=self._users, with_shares=self._with_shares)

    @property
    def reconcile(self) -> ReconcileStatus:
        return self._facts.reconcile

    @property
    def checks(self) -> Mapping[CheckId, Ledger]:
        return self._facts.checks

    @property
    def servers(self) -> Mapping[ServerKey, ServerStatus]:
        return self._facts.servers

    @property
    def owned(self) -> frozenset[ServiceKey]:
        """The services that the agent owns: configured now, or configured earlier and still in the table."""
        return self._facts.owned

    @property
    def maintained(self) -> frozenset[ServerKey]:
        """The real servers in maintenance."""
        return self._facts.maintained

    @property
    def all_checked(self) -> bool:
        """Whether every check has run at least once."""
        return not self._facts.unreported

    @property
    def sorry_started(self) -> frozenset[ServiceKey]:
        """The services whose sorry command was called with ``start`` last, by this process or an earlier one."""
        return self._sorry_started

    @property
    def withdrawn(self) -> frozenset[ServerKey]:
        """The real servers whose rows others have deleted and that the agent does not add again."""
        return self._withdrawn

    def name_of(self, service: ServiceKey) -> str:
        """The name of ``service``, or its last name if it is no longer configured but still owned."""
        return self._names.get(service) or str(service)

    @property
    def names(self) -> Mapping[ServiceKey, str]:
        """The name of each owned service, or its last name."""
        return self._names

    def users_of(self, check: CheckId) -> Sequence[tuple[VirtualService, RealServer]]:
        """The real servers that use ``check``."""
        return self._users[check]

    def history(self) -> History:
        """What was done with the real servers, apart from their health."""
        return History(seen=frozenset(self._seen), maintained=self._facts.maintained, withdrawn=self._withdrawn)

    def shares(self) -> dict[ServerKey, int]:
        """Percent of its weight for each real server whose checks determine one."""
        checks = self._facts.checks
        return {
            key: share for key, server in self._with_shares.items() if (share := share_of(server, checks)) is not None
        }

    def memory(self) -> Memory:
        """The memory for the next process; for servers without known health, what an earlier process knew."""
        servers = self._facts.servers
        return Memory(
            owned=self._facts.owned,
            servers={
                key: self._remembered.get(key, status)
                if status.health is Health.UNKNOWN
                else replace(status, ups=0, downs=0)
                for key, status in servers.items()
                if key in self._seen
            },
            withdrawn=self._withdrawn & servers.keys(),
            sorry=self._sorry_started,
            maintained=self._facts.maintained & servers.keys(),
            below_quorum=frozenset(key for key, one in self._facts.reconcile.conditions.items() if one.quorum_lost),
        )

    def prepare(self, intent: Intent, config: ConfigStatus) -> Adoption:
        """Make ``intent`` ready to be put in force.  It changes nothing, so it may raise anything."""
        return adoption_of(intent, config, before=self._facts, names=self._names, at=self._clock.now())

    def _turns_of(self, report: CheckReport) -> Iterable[ServerTurn]:
        """Update the real servers of a check after a change of its health.  Call it inside a change."""
        facts = self._facts
        for service, server in self._users[report.check]:
            key = (service.service.key, server.key)
            before, health = facts.servers[key], health_of(server, facts.checks)
            if health is before.health:
                continue
            remembered = self._remembered.pop(key, None)
            facts.servers[key] = settle(before, health, at=report.ended_at, remembered=remembered)
            yield ServerTurn(
                service, server, before.health, health, remembered is None or remembered.health is not health
            )

    # --- what readers read, in any thread -------------------------------------------------------------------------

    def vitals(self, *, last_turn_age_s: float) -> Vitals:
        """Whether the agent is live and ready, in constant time."""
        facts = self._facts
        return Vitals(
            checks=len(facts.checks),
            unreported=facts.unreported,
            converged_once=facts.reconcile.converged_once,
            last_turn_age_s=last_turn_age_s,
        )

    def snapshot(
        self, *, engine: EngineStatus, log_messages: Mapping[str, int], monitor_lines_dropped: int = 0
    ) -> Snapshot:
        """A consistent snapshot of the state, with the status of the engine and the counts of the log."""
        facts, records, servers = self._changes.read(self._copy)
        return Snapshot(
            taken_at=self._clock.now(),
            started_at=self._started_at,
            writes=self.writes and bool(facts.intent.services or facts.owned),
            intent=facts.intent,
            config=facts.config,
            checks=dict(zip(facts.checks, map(status_of, records), strict=True)),
            servers=servers,
            reconcile=facts.reconcile,
            engine=engine,
            log_messages=log_messages,
            monitor_lines_dropped=monitor_lines_dropped,
            sorry_calls=facts.sorry_calls,
        )

    def _copy(self) -> tuple[Facts, list[Record], dict[ServerKey, ServerStatus]]:
        facts = self._facts
        return facts, records_of(facts.checks.values()), facts.servers.copy()


def _says_more(report: CheckReport, before: CheckReport, spec: CheckSpec) -> bool:
    """Whether ``report`` has something new that matters although the health is unchanged.

    Most reports are of servers that are up and end at the first line.
    """
    matters = spec.gives_weight or isinstance(report.result, Errored) or isinstance(before.result, Errored)
    return matters and before.result != report.result

"""The one mutable object of the program: everything that the agent knows.

Only the loop's thread changes it.  Its parts are frozen and replaced whole, but for the ledgers of the checks, which
give frozen copies.  So ``snapshot`` may be called from any thread: copying a dict is one step under the interpreter's
lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from lvs_agent.clock import Clock
from lvs_agent.control.ledger import Ledger
from lvs_agent.control.memory import Memory
from lvs_agent.core.condition import ServiceCondition
from lvs_agent.core.decide import History
from lvs_agent.core.health import Health, combine
from lvs_agent.core.share import may_ask_for_a_share, share_of
from lvs_agent.core.snapshot import (
    ConfigStatus,
    EngineStatus,
    ReconcileStatus,
    ServerKey,
    ServerStatus,
    Snapshot,
    SorryCalls,
)
from lvs_agent.core.tally import settle
from lvs_agent.model.check import CheckId, CheckSpec
from lvs_agent.model.intent import Intent, RealServer, VirtualService
from lvs_agent.model.ipvs import ServiceKey


class AgentState:
    """What is configured, what the checks say, what the last round did."""

    def __init__(
        self,
        *,
        clock: Clock,
        writes: bool,
        intent: Intent,
        config: ConfigStatus,
        memory: Memory,
        engine: Callable[[], EngineStatus],
        log_messages: Callable[[], Mapping[str, int]],
    ) -> None:
        self.writes = writes
        self.config = config
        lost = ServiceCondition(quorum_lost=True)
        self.reconcile = ReconcileStatus(conditions=dict.fromkeys(memory.below_quorum, lost))
        self.owned = memory.owned
        self.names: Mapping[ServiceKey, str] = {}
        self.seen: set[ServerKey] = set(memory.servers)
        self.withdrawn = memory.withdrawn
        self.maintained: frozenset[ServerKey] = frozenset()
        self.maintained_before = memory.maintained
        self.sorry_started: Callable[[], frozenset[ServiceKey]] = lambda: memory.sorry
        self.sorry_calls: Callable[[], SorryCalls] = dict
        self.checks: dict[CheckId, Ledger] = {}
        self.servers: dict[ServerKey, ServerStatus] = {}
        self.users: Mapping[CheckId, list[tuple[VirtualService, RealServer]]] = {}
        self._remembered = dict(memory.servers)
        self._clock = clock
        self._engine = engine
        self._log_messages = log_messages
        self._started_at = clock.now()
        self.adopt(intent)

    def adopt(self, intent: Intent) -> None:
        """Take ``intent`` as what is wanted from now on; what is the same in it keeps its health and its counters."""
        at = self._clock.now()
        users: dict[CheckId, list[tuple[VirtualService, RealServer]]] = {check: [] for check in intent.checks}
        checks = {check: self.checks.get(check) or Ledger() for check in intent.checks}
        servers: dict[ServerKey, ServerStatus] = {}
        for service in intent.services:
            for server in service.real_servers:
                key = (service.service.key, server.key)
                health = combine((checks[check].state.health for check in server.checks), pass_when=server.pass_when)
                servers[key] = settle(self.servers.get(key, ServerStatus()), health, at=at)
                for check in server.all_checks:
                    users[check].append((service, server))
        self.intent, self.checks, self.servers, self.users = intent, checks, servers, users
        self._shared = {
            (service.service.key, server.key): server
            for service in intent.services
            for server in service.real_servers
            if may_ask_for_a_share(server, intent.checks)
        }
        self.owned |= {service.service.key for service in intent.services}
        self.names = {key: name for key, name in {**self.names, **intent.names}.items() if key in self.owned}

    def history(self) -> History:
        """What was done with the real servers, apart from their health."""
        return History(seen=frozenset(self.seen), maintained=self.maintained, withdrawn=self.withdrawn)

    def spec(self, check: CheckId) -> CheckSpec | None:
        """The check of that id, or None where the configuration has it no more."""
        return self.intent.checks.get(check)

    def health_of(self, server: RealServer) -> Health:
        """What the checks of ``server`` say together."""
        return combine((self.checks[check].state.health for check in server.checks), pass_when=server.pass_when)

    def shares(self) -> dict[ServerKey, int]:
        """Percent of its weight that each real server is to have whose checks say something about that."""
        return {
            key: share for key, server in self._shared.items() if (share := share_of(server, self.checks)) is not None
        }

    def settle_server(self, key: ServerKey, health: Health, *, at: float) -> bool:
        """Note that the health of a real server is ``health`` since ``at``; whether an earlier process did not know."""
        remembered = self._remembered.pop(key, None)
        self.servers[key] = settle(self.servers[key], health, at=at, remembered=remembered)
        return remembered is None or remembered.health is not health

    def disown(self, services: frozenset[ServiceKey]) -> None:
        """Forget services that are no longer in the table, unless they are wanted again by now."""
        self.owned -= services - {service.service.key for service in self.intent.services}

    def memory(self) -> Memory:
        """What is to outlive the process: of servers not settled yet, what an earlier process knew."""
        return Memory(
            owned=self.owned,
            servers={
                key: self._remembered.get(key, status)
                if status.health is Health.UNKNOWN
                else replace(status, ups=0, downs=0)
                for key, status in self.servers.items()
                if key in self.seen
            },
            withdrawn=self.withdrawn & self.servers.keys(),
            sorry=self.sorry_started(),
            maintained=self.maintained & self.servers.keys(),
            below_quorum=frozenset(key for key, one in self.reconcile.conditions.items() if one.quorum_lost),
        )

    @property
    def _has_anything_to_write(self) -> bool:
        """Whether anything in the table is ours: without, an agent that may write is an exporter all the same."""
        return bool(self.intent.services or self.owned)

    def snapshot(self) -> Snapshot:
        """What is known now.  May be called from any thread."""
        return Snapshot(
            taken_at=self._clock.now(),
            started_at=self._started_at,
            writes=self.writes and self._has_anything_to_write,
            intent=self.intent,
            config=self.config,
            checks={check: ledger.status() for check, ledger in list(self.checks.items())},
            servers=dict(self.servers),
            reconcile=self.reconcile,
            engine=self._engine(),
            log_messages=self._log_messages(),
            sorry_calls=self.sorry_calls(),
        )

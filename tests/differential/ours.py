"""lvs-agent on the same configuration: its reading, its checks, its decisions, on a table in memory.

All of it is the program's own code; only the loops around it are missing, so that a step takes as long as its checks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from lvs_agent.checks.engine import libraries
from lvs_agent.checks.kinds import Checker, checkers
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.resources import ProbeResources
from lvs_agent.config import config_from_tables
from lvs_agent.config.secrets import SecretSource
from lvs_agent.control.round import RoundInput, perform
from lvs_agent.core.decide import History, withdrawn_after
from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.ipvs.ipvsadm import rules
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.ldirectord.reader import read_ldirectord
from lvs_agent.model.check import CheckId, CheckResult, CheckSpec, Failed, FailureReason, Passed
from lvs_agent.model.intent import Intent
from lvs_agent.model.ipvs import ServiceKey, Table
from tests.differential.oracle import LocalNames


class Ours:
    """One run of it on ``text``.  Raises ConfigError where lvs-agent does not take it."""

    def __init__(self, text: bytes) -> None:
        self._backend = MemoryIpvs()
        self._intent = intent_of(text)
        self._owned: frozenset[ServiceKey] = frozenset(self._intent.names)
        self._seen: frozenset[ServerKey] = frozenset()
        self._withdrawn: frozenset[ServerKey] = frozenset()
        self._healths: dict[CheckId, Health] = {}
        self._left: Table | None = None
        self.refused: list[str] = []
        """What the kernel would not take."""

    def reload(self, text: bytes) -> None:
        """Put ``text`` in force.  Raises ConfigError, and goes on as before."""
        self._intent = intent_of(text)
        self._owned |= self._intent.names.keys()

    def step(self) -> None:
        """Every check once, then rounds until nothing is left to do."""
        libraries.load(self._intent.checks.values())  # no check is to wait for an import
        self._healths |= asyncio.run(_verdicts(self._intent.checks))
        for _ in range(3):
            result = perform(
                self._backend,
                RoundInput(
                    intent=self._intent,
                    healths=self._server_healths(),
                    history=History(seen=self._seen, withdrawn=self._withdrawn),
                    owned=self._owned,
                    last_table=self._left,
                ),
            )
            self._left = result.last_table
            self._withdrawn = withdrawn_after(self._withdrawn, result.pools)
            self.refused += [str(one.error) for one in result.applied if one.error]
            if not result.applied:
                break
        self._seen |= {
            (service.service.key, server.key) for service in self._intent.services for server in service.real_servers
        }

    def rules(self) -> list[str]:
        """The table as ``ipvsadm -S -n`` prints it, sorted."""
        return sorted(rules(self._backend.read_table()))

    def _server_healths(self) -> dict[ServerKey, Health]:
        return {
            (service.service.key, server.key): _health([self._healths.get(check) for check in server.checks])
            for service in self._intent.services
            for server in service.real_servers
        }


def intent_of(text: bytes) -> Intent:
    """What lvs-agent makes of a file.  Raises ConfigError."""
    reading = read_ldirectord(text, name="it.cf", names=LocalNames())
    return config_from_tables(reading.tables, source=SecretSource.of_process(Path("/"))).intent


async def _verdicts(checks: Mapping[CheckId, CheckSpec]) -> dict[CheckId, Health]:
    kinds = checkers()  # imports them
    async with ProbeResources() as resources:
        found = await asyncio.gather(
            *(_result(kinds[spec.kind], spec, ProbeRun(resources)) for spec in checks.values())
        )
    return {
        check: Health.UP if isinstance(result, Passed) else Health.DOWN
        for check, result in zip(checks, found, strict=True)
        if isinstance(result, Passed | Failed)
    }


async def _result(checker: Checker, spec: CheckSpec, run: ProbeRun) -> CheckResult:
    try:
        async with asyncio.timeout(spec.timeout_s):
            return await checker.probe(spec.target, run)
    except TimeoutError:
        return Failed(reason=FailureReason.READ_TIMEOUT)
    finally:
        run.release()


def _health(verdicts: list[Health | None]) -> Health:
    if not verdicts or None in verdicts or Health.UNKNOWN in verdicts:
        return Health.UNKNOWN
    return Health.DOWN if Health.DOWN in verdicts else Health.UP

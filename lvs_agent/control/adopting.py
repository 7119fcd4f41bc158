"""Puts a configuration in force: all of it, or nothing.

Steps that may fail come first, and change nothing.  If a later step fails nevertheless, the old configuration is put
in force again, so that all parts of the agent always follow the same configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from lvs_agent.config import Config
from lvs_agent.control.facts import Adoption
from lvs_agent.control.operator_hooks import HookedConfig, OperatorHooks, prepare
from lvs_agent.control.reconciling import Periods, Reconciling
from lvs_agent.control.round_requests import RoundRequests
from lvs_agent.control.state import AgentState
from lvs_agent.core.snapshot import ConfigStatus
from lvs_agent.log import get_logger
from lvs_agent.model.check import CheckSpec

log = get_logger()


class Adopting:
    """``config`` is the configuration in force.  ``configure`` replaces the running checks.  On the loop only."""

    def __init__(
        self,
        config: Config,
        *,
        state: AgentState,
        hooks: OperatorHooks,
        reconciling: Reconciling,
        requests: RoundRequests,
        configure: Callable[[Collection[CheckSpec]], None],
    ) -> None:
        self.config = config
        self._state = state
        self._hooks = hooks
        self._reconciling = reconciling
        self._requests = requests
        self._configure = configure

    def adopt(self, config: Config, status: ConfigStatus) -> None:
        """Put ``config`` in force.  If this raises anything, the previous configuration is in force as a whole."""
        adoption, hooked = self._state.prepare(config.intent, status), prepare(config.intent, config.agent)
        changes = self.config.restart_only_changes(config)
        before = self.config, self._state.in_force, self._hooks.in_force
        try:
            self._put_in_force(config, adoption, hooked)
        except Exception:
            self._put_in_force(*before)
            raise
        if changes:
            log.warning("configuration_needs_restart", keys=", ".join(changes))

    def _put_in_force(self, config: Config, adoption: Adoption, hooked: HookedConfig) -> None:
        self._configure(config.intent.checks.values())
        self._state.configuration_adopted(adoption)
        self.config = config
        self._reconciling.periods = Periods.of(config.agent)
        self._hooks.adopt(hooked)
        self._requests.wake()

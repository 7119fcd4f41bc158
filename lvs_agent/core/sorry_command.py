"""The arguments of a sorry command, and the outcomes of a call."""

from __future__ import annotations

from enum import Enum

from lvs_agent.model.ipvs import AddressKey, FwmarkKey, ServiceKey, address_and_port


class SorryAction(Enum):
    """START: the last real server has failed; STOP: one has recovered, or the service is deleted from the table."""

    START = "start"
    STOP = "stop"


class SorryOutcome(Enum):
    """How a call ended.  A metric label, so this set is closed."""

    SUCCEEDED = "succeeded"
    EXIT_STATUS = "exit_status"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    NOT_STARTED = "not_started"
    LOST = "lost"
    """The runner process died during the call."""


def call_arguments(service: ServiceKey, action: SorryAction) -> tuple[str, str, str]:
    """The arguments that are added to the command: the action, the service's address and port, and its protocol.

    They are those of ldirectord (``fallbackcommand``), except for a firewall mark: ldirectord leaves out the mark and
    passes ``:0``, which does not identify the service, so lvs-agent passes the mark too: ``10:0``.
    """
    match service:
        case AddressKey(protocol, address, port):
            return action.value, address_and_port(address, port), protocol.value
        case FwmarkKey(mark):
            return action.value, f"{mark}:0", "fwm"

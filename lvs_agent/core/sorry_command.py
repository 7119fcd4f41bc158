"""What a sorry command is called with, and how a call can end."""

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
    """The process that runs commands died with it."""


def call_arguments(service: ServiceKey, action: SorryAction) -> tuple[str, str, str]:
    """What is added to the command: the action, the service's place and its protocol.

    As ldirectord does it (``fallbackcommand``), but for a firewall mark: ldirectord leaves out the mark and passes
    ``:0``, which tells a script nothing, so the mark stands before it here: ``10:0``.
    """
    match service:
        case AddressKey(protocol, address, port):
            return action.value, address_and_port(address, port), protocol.value
        case FwmarkKey(mark):
            return action.value, f"{mark}:0", "fwm"

"""The words that API, page, terminal and metrics have for the state of a service and a server, and for flags."""

from __future__ import annotations

from typing import Literal, cast

from lvs_agent.model.ipvs import SCHEDULER_FLAG_NAMES, SchedulerFlag, Service
from lvs_agent.view.inventory import KnownServer, KnownService

HealthWord = Literal["unknown", "up", "down"]
ServerWord = Literal["unknown", "up", "down", "maintenance", "active", "standby", "foreign"]
ServiceWord = Literal["unknown", "up", "below_quorum", "down", "foreign"]


def service_word(service: KnownService) -> ServiceWord:
    """The state of its condition, or ``foreign`` for a service that is not configured."""
    return "foreign" if service.configured is None else service.condition.state.value


def server_word(server: KnownServer, service: KnownService) -> ServerWord:
    """Health or maintenance of a real server, ``active`` or ``standby`` of a sorry server, else ``foreign``."""
    if server.configured is not None:
        return cast("ServerWord", server.state)
    if server.is_sorry_server:
        return "active" if service.sorry_active else "standby"
    return "foreign"


def flags_of(service: Service) -> tuple[str, ...]:
    """The words for everything special about a service's row, scheduler flags as ipvsadm names them."""
    words = ["persistent"] if service.persistence is not None else []
    words += ["one-packet"] if service.one_packet else []
    return (*words, *(_flag_word(flag, service.scheduler) for flag in service.scheduler_flags))


def _flag_word(flag: SchedulerFlag, scheduler: str) -> str:
    words = [word for word, meant in SCHEDULER_FLAG_NAMES.items() if meant is flag]
    return next((word for word in words if word.startswith(f"{scheduler}-")), words[0])

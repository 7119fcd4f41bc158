"""The one word for the state of a service and of a server, which the API, the page and the terminal show.  Pure."""

from __future__ import annotations

from typing import cast

from lvs_agent.core.health import Health
from lvs_agent.metrics.inventory import KnownServer, KnownService
from lvs_agent.web.document import ServerWord, ServiceWord


def service_word(service: KnownService) -> ServiceWord:
    """``up`` exactly when its quorum is reached; ``unknown`` while nothing is up and a check may still say so."""
    if service.configured is None:
        return "foreign"
    states = [server.state for server in service.real_servers]
    up = states.count(Health.UP.value)
    if up >= service.configured.quorum:
        return "up"
    if up:
        return "below_quorum"
    return "unknown" if Health.UNKNOWN.value in states else "down"


def server_word(server: KnownServer, service: KnownService) -> ServerWord:
    """Of a real server its health or maintenance, of a sorry server whether it serves, ``foreign`` for the rest."""
    if server.configured is not None:
        return cast("ServerWord", server.state)
    if server.fallback:
        return "active" if service.sorry_active else "standby"
    return "foreign"

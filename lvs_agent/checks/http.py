"""HTTP request; status and body must be as wanted."""

from __future__ import annotations

from lvs_agent.checks import http_exchange
from lvs_agent.checks.http_settings import HttpSettings
from lvs_agent.model.check import CheckResult, Target

LEAN = True


class Settings(HttpSettings):
    """Keys of a check with ``type = "http"``."""


async def probe(target: Target) -> CheckResult:
    """One request over a new connection, HTTP/1.1 with ``Connection: close``."""
    settings: Settings = target.settings
    return await http_exchange.check(target, settings)

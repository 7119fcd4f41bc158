"""What a running agent answers over HTTP.  Small on purpose: a cluster manager asks every few seconds."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from lvs_agent.errors import NoAnswer

TIMEOUT_S = 5.0
_OK = 200
_COUNTER = re.compile(rb"^lvs_agent_config_(reloads|reload_failures)_total(?:\{\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloads:
    """How often the configuration was taken in and refused since the start."""

    taken: int
    refused: int

    @property
    def attempts(self) -> int:
        """Both together."""
        return self.taken + self.refused


def what_is_stuck(address: str) -> tuple[str, ...]:
    """What keeps the agent at ``address`` from being alive; empty where it is.  Raises NoAnswer."""
    status, _ = _get(address, "/livez")
    return () if status == _OK else (f"{address} reports that its check loop is stuck",)


def what_is_missing(address: str) -> tuple[str, ...]:
    """What keeps the agent from having had the table in sync once; empty when it has.  Raises NoAnswer."""
    status, body = _get(address, "/readyz")
    return () if status == _OK else _texts(_object(address, body).get("missing"))


def reloads(address: str) -> Reloads:
    """Raises NoAnswer."""
    status, body = _get(address, "/metrics")
    counts = {name: int(float(value)) for name, value in _COUNTER.findall(body)}
    if status != _OK or len(counts) != len(Reloads.__slots__):
        raise NoAnswer(f"{address} does not answer with the metrics of an lvs-agent")
    return Reloads(taken=counts[b"reloads"], refused=counts[b"reload_failures"])


def problems(address: str) -> tuple[str, ...]:
    """What is wrong with the configuration that was last refused.  Raises NoAnswer."""
    agent = _object(address, _get(address, "/api/v1/status")[1]).get("agent", {})
    return _texts(agent.get("config", {}).get("problems"))


def _get(address: str, path: str) -> tuple[int, bytes]:
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - a third of the start, and stop never asks

    try:
        with closing(HTTPConnection(address, timeout=TIMEOUT_S)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
    except (OSError, HTTPException) as error:
        raise NoAnswer(f"{address} does not answer: {str(error) or type(error).__name__}") from error


def _object(address: str, body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise NoAnswer(f"{address} does not answer like an lvs-agent") from error
    return answer if isinstance(answer, dict) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()

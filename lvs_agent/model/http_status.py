"""Reason phrases of HTTP statuses."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

_OTHERWISE: Mapping[int, str] = MappingProxyType(
    {413: "Payload Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 418: "I'm a teapot"}
)
"""Phrases for which Python has names that are older than RFC 7231, the predecessor of RFC 9110."""


def reason_phrase(status: int) -> str:
    """The registered phrase for ``status`` ("Not Found"), or "Unknown code"."""
    if status in _OTHERWISE:
        return _OTHERWISE[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown code"

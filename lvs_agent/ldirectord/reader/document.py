"""What a reading of an ldirectord.cf yields.  Only data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lvs_agent.config.findings import Location
from lvs_agent.errors import Problem
from lvs_agent.ldirectord.reader.blocks import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """What emailalert* asked for one virtual service (its own settings, else the global ones).

    ``virtual_service``: its name in our configuration.  ``frequency_s``: seconds between two reminders, 0 for none.
    ``statuses``: out of "starting", "running", "stopping" and "reloading"; empty where no mail was wanted.
    """

    virtual_service: str
    recipients: tuple[str, ...]
    frequency_s: int
    statuses: frozenset[str]
    sender: str | None
    smtp: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An ldirectord.cf, understood.

    ``tables``: laid out as the TOML file.  ``places``: the line of the directive that made the table or value at a
    location.  ``comments``: texts without "#" that belong to a table or value, those before its line and the one
    behind its value; the location () has the head of the file.  ``warnings``: each with the path "line N", in order.
    ``alerts``: one for each virtual service that has any, in order.  ``blocks``: the virtual services as written.
    """

    tables: dict[str, Any]
    places: Mapping[Location, int]
    comments: Mapping[Location, tuple[str, ...]]
    warnings: tuple[Problem, ...]
    alerts: tuple[AlertSettings, ...]
    blocks: tuple[Block, ...] = ()

"""For each key of the configuration a file that says nothing of it, and the same file with another value than usual.

Values of words, numbers, truth values and durations are made of the key's declaration; others, and what a key needs
around it, are written here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from lvs_agent.config.jsonschema import json_schema
from lvs_agent.config.schema.check import CheckKeys
from lvs_agent.config.schema.keys import defaults_as_written, is_of_type, known_keys, tables_below
from lvs_agent.config.schema.tables import CheckTables, File
from lvs_agent.settings.scalars import Duration

SERVICE = {"address": "192.0.2.1", "port": 80}
MARKED = {"fwmark": 1}
_TUNNEL = {"forwarding": "tunnel"}
_VALUES: Mapping[str, Any] = {
    "agent.listen": "127.0.0.1:9000",
    "agent.state_dir": "/var/lib/other",
    "agent.maintenance_dir": "/etc/maintenance",
    "agent.web_config_file": "/etc/web.yml",
    "agent.workers": 2,
    "agent.command_user": "somebody",
    "metrics.drop": ["lvs_up"],
    "tunnel": {"type": "gre"},
    "address": "192.0.2.2",
    "name": "web",
    "comment": "a site",
    "scheduler": "rr",
    "scheduler_flags": ["sh-port"],
    "monitor_file": "/var/log/monitor",
    "monitor_label": "one",
    "check": {"type": "none"},
    "checks": {"more": {"type": "none"}},
    "check.type": "none",
    "tunnel.type": "gre",
    "persistence": {"timeout": "7s"},
    "netmask": "255.255.255.0",
    "real_server": [{"address": "10.0.0.3"}],
    "sorry_server": {"address": "10.0.0.9"},
    "sorry_command": {"command": ["/bin/sorry"]},
    "command": ["/bin/other"],
    "user": "somebody",
}
"""Values by the key with its table, or by the key alone."""

_AROUND: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "tunnel": {"": _TUNNEL},
    "tunnel.type": {"..": _TUNNEL},
    "tunnel.port": {"..": _TUNNEL, "": {"type": "gue", "port": 6_080}},
    "tunnel.checksum": {"..": _TUNNEL, "": {"type": "gue", "port": 6_080}},
    "fwmark": {"virtual_service": MARKED, "virtual_service.real_server": {"port": 80}},
    "family": {"virtual_service": MARKED, "virtual_service.real_server": {"address": "2001:db8::1", "port": 80}},
    "quorum": {"": {"real_server": [{"address": "10.0.0.1"}, {"address": "10.0.0.2"}]}},
    "scheduler_flags": {"": {"scheduler": "sh"}},
    "one_packet": {"": {"protocol": "udp"}},
    "allow_weight_zero": {"": {"scheduler": "sh", "weight": 0}},
    "lower_threshold": {"": {"upper_threshold": 9}},
    "sorry_server.port": {"": {"forwarding": "masquerade"}},
    "real_server.port": {"": {"forwarding": "masquerade"}},
    "persistence.engine": {"virtual_service": {"protocol": "udp"}},
    "on_failure": {"virtual_service": {"checks": {"other": {"type": "none"}}}},
    "failed_weight": {"virtual_service": {"checks": {"other": {"type": "none"}}}, "": {"on_failure": "weight"}},
}
"""What else must be written: in the key's own table (""), in the one around it (".."), or in a table by its place."""

_NEEDED: Mapping[str, Mapping[str, Any]] = {
    "virtual_service": SERVICE,
    "virtual_service.real_server": {"address": "10.0.0.1"},
    "virtual_service.sorry_server": {"address": "10.0.0.8"},
    "virtual_service.sorry_command": {"command": ["/bin/sorry"]},
    "virtual_service.persistence": {"timeout": "1m"},
}
"""What a table must have."""


@cache
def tables() -> dict[str, type[BaseModel]]:
    """Every table by its place, those of checks with the keys that every check has."""
    found = dict(tables_below(File))
    checks = {f"{path}.check": CheckKeys for path, model in found.items() if issubclass(model, CheckTables)}
    return found | checks


def keys() -> Iterator[str]:
    """Every key with its table, on every level where it may stand."""
    for path, model in tables().items():
        yield from (f"{path}.{key}" for key in known_keys(model))


def sample(place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tables that say nothing of the key at ``place``, or have what is usual there, and tables that have another."""
    path, _, key = place.rpartition(".")
    around = _last(_AROUND, place) or {}
    before: dict[str, Any] = {}
    _table(before, "virtual_service.real_server")
    for where, values in around.items():
        at = {"": path, "..": path.rpartition(".")[0]}.get(where, where)
        table = _table(before, at)
        if values is MARKED:
            del table["address"], table["port"]
        table.update(copy.deepcopy(dict(values)))
    _table(before, path)
    return before, put(before, place, _value(place, present=_table(before, path).get(key)))


def put(written: Mapping[str, Any], place: str, value: Any) -> dict[str, Any]:
    """``written`` with ``value`` at the key ``place``."""
    changed = copy.deepcopy(dict(written))
    path, _, key = place.rpartition(".")
    _table(changed, path)[key] = value
    return changed


def _table(root: dict[str, Any], path: str) -> dict[str, Any]:
    """The table at ``path`` in ``root``: the first one of an array; made with what it needs where it is not there."""
    node: Any = root
    for length, name in enumerate(path.split("."), start=1):
        at = ".".join(path.split(".")[:length])
        if name not in node:
            new = copy.deepcopy(dict(_NEEDED.get(at, {})))
            node[name] = [new] if at in {"virtual_service", "virtual_service.real_server"} else new
        node = node[name][0] if isinstance(node[name], list) else node[name]
    table: dict[str, Any] = node
    return table


def _value(place: str, *, present: Any) -> Any:
    """A value of the key at ``place`` that is neither its default nor ``present``."""
    path, _, key = place.rpartition(".")
    model = tables()[path]
    declared, usual = _declared(model, key), defaults_as_written(model).get(key)
    given = _last(_VALUES, place)
    if given is not None:
        return given
    if declared.get("type") == "boolean":
        return not usual
    if "enum" in declared:
        return next(word for word in declared["enum"] if word != usual)
    if declared.get("type") == "integer":
        return max(filter(None, (usual, present, declared.get("minimum"), 0)), default=0) + 1
    if is_of_type(model.model_fields[key], Duration):
        return "7s"
    raise AssertionError(f"tests/config/samples.py: give a value of {place} in _VALUES")


@cache
def _definitions() -> dict[str, Any]:
    definitions: dict[str, Any] = json_schema()["$defs"]
    return definitions


def _declared(model: type[BaseModel], key: str) -> dict[str, Any]:
    definitions = _definitions()
    name = "check_tcp" if model is CheckKeys else model.__name__
    declared: dict[str, Any] = definitions[name]["properties"][key]
    reference = declared.get("$ref") or next((each["$ref"] for each in declared.get("allOf", ())), None)
    return definitions[reference.rpartition("/")[2]] if reference else declared


def _last(found: Mapping[str, Any], place: str) -> Any:
    """What ``found`` has for the longest end of ``place``."""
    parts = place.split(".")
    return next((found[end] for start in range(len(parts)) if (end := ".".join(parts[start:])) in found), None)

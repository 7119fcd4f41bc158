"""The state file: the services that the agent owns, and the last known health of their real servers.

It is one small JSON file that is replaced as a whole.  If it cannot be read, the agent starts without it: it owns the
services of its configuration anyway, and its checks find the health again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from lvs_agent.core.health import Health
from lvs_agent.core.snapshot import ServerKey, ServerStatus
from lvs_agent.files import open_own, replace_file
from lvs_agent.log import get_logger
from lvs_agent.model.ipvs import ServiceKey
from lvs_agent.model.keys import parse_destination_key, parse_service_key

log = get_logger()

FILE_NAME = "state.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process saves for the next.

    ``owned``: services that this process or an earlier one has configured.  ``servers``: the last known status of
    their real servers; health UNKNOWN if it was never settled.  ``withdrawn``: real servers whose rows others have
    deleted and that the agent does not add again.  ``sorry``: services whose sorry command was last called with
    ``start``.  ``maintained`` and ``below_quorum``: servers that were in maintenance, and services that had lost their
    quorum, so that the next process does not record these events again.
    """

    owned: frozenset[ServiceKey] = frozenset()
    servers: Mapping[ServerKey, ServerStatus] = field(default_factory=dict)
    withdrawn: frozenset[ServerKey] = frozenset()
    sorry: frozenset[ServiceKey] = frozenset()
    maintained: frozenset[ServerKey] = frozenset()
    below_quorum: frozenset[ServiceKey] = frozenset()


def recall(directory: Path) -> Memory:
    """The memory in ``directory``.  If it cannot be read, returns an empty one and logs that."""
    path = directory / FILE_NAME
    try:
        with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
            return _decode(json.loads(file.read()))
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.warning(
            "state_file_not_read",
            path=path,
            error=error,
            consequence="services of earlier runs that are no longer configured stay in the table",
        )
        return Memory()


def remember(memory: Memory, directory: Path) -> None:
    """Replace the memory in ``directory``.  Raises OSError; then the old one stays."""
    replace_file(directory / FILE_NAME, [json.dumps(_encode(memory), indent=1).encode()])


def _encode(memory: Memory) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "owned": sorted(map(str, memory.owned)),
        "servers": [
            {"service": str(service), "server": str(server), "health": status.health.value, "since": status.since}
            for (service, server), status in memory.servers.items()
        ],
        "withdrawn": _pairs(memory.withdrawn),
        "sorry": sorted(map(str, memory.sorry)),
        "maintained": _pairs(memory.maintained),
        "below_quorum": sorted(map(str, memory.below_quorum)),
    }


def _pairs(servers: frozenset[ServerKey]) -> list[list[str]]:
    return sorted([str(service), str(server)] for service, server in servers)


def _server_keys(pairs: list[list[str]]) -> frozenset[ServerKey]:
    return frozenset((parse_service_key(service), parse_destination_key(server)) for service, server in pairs)


def _decode(document: dict[str, Any]) -> Memory:
    if document["version"] != _VERSION:
        raise ValueError(f"version {document['version']!r} is not known")
    return Memory(
        owned=frozenset(map(parse_service_key, document["owned"])),
        servers={
            (parse_service_key(row["service"]), parse_destination_key(row["server"])): ServerStatus(
                health=Health(row["health"]), since=None if row["since"] is None else float(row["since"])
            )
            for row in document["servers"]
        },
        withdrawn=_server_keys(document.get("withdrawn", [])),
        sorry=frozenset(map(parse_service_key, document.get("sorry", []))),
        maintained=_server_keys(document.get("maintained", [])),
        below_quorum=frozenset(map(parse_service_key, document.get("below_quorum", []))),
    )


class Keeper:
    """Writes the memory in a thread when it has changed, and logs once when that fails."""

    def __init__(self, *, directory: Path, read: Callable[[], Memory]) -> None:
        self._directory = directory
        self._read = read
        self._kept: Memory | None = None
        self._complained = False
        self._lock = Lock()
        self._writing = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="state-file")

    def keep(self) -> None:
        """Write the memory if it has changed since the last write.  Only the newest version is written."""
        memory = self._read()
        with self._lock:
            if memory == self._kept:
                return
            self._kept = memory
            if not self._writing:
                self._writing = True
                self._thread.submit(self._write, memory)

    def _write(self, memory: Memory) -> None:
        """Write ``memory``, then a newer version if there is one."""
        latest: Memory | None = memory
        while latest is not None:
            written = self._written(latest)
            with self._lock:
                overtaken = self._kept is not latest
                if not written and not overtaken:
                    self._kept = None
                latest = self._kept if overtaken else None
                self._writing = latest is not None

    def _written(self, memory: Memory) -> bool:
        try:
            remember(memory, self._directory)
        except OSError as error:
            if not self._complained:
                log.warning(
                    "state_file_not_written", directory=self._directory, error=error, remedy="set agent.state_dir"
                )
            self._complained = True
            return False
        return True

    def close(self) -> None:
        """Write the memory, and end."""
        self.keep()
        self._thread.shutdown(wait=True)

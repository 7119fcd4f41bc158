"""What surrounds the agent: environment variables and options, also from /etc/default.

The files are those that the systemd units read: lines ``NAME=value``, with quotes as in a shell but no shell.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from lvs_agent.errors import StartError

OPTIONS = "LVS_AGENT_OPTIONS"
DEFAULTS = "LVS_LDIRECTORD_DEFAULTS"
_DEFAULTS_FILE = "/etc/default/lvs-agent"
_OF_A_SERVICE_MANAGER = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
"""These are about the process that called us, never about the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContext:
    """``options``: further ones for ``lvs-agent run``."""

    environment: Mapping[str, str]
    options: tuple[str, ...]


def service_context(config: Path, *, own: Mapping[str, str] = os.environ) -> ServiceContext:
    """Those of the agent that runs ``config``, started from the environment ``own``.

    What ``own`` has wins over /etc/default/lvs-agent-NAME (NAME: the configuration's file name), and that over
    /etc/default/lvs-agent.  Raises StartError where a file or the options in it cannot be read.
    """
    general = Path(own.get(DEFAULTS, _DEFAULTS_FILE))
    environment: dict[str, str] = {}
    for path in (general, general.with_name(f"{general.name}-{config.name}")):
        environment |= _variables(path)
    environment |= own
    for name in _OF_A_SERVICE_MANAGER:
        environment.pop(name, None)
    return ServiceContext(environment=environment, options=tuple(_words(environment.get(OPTIONS, ""), place=OPTIONS)))


def _variables(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"{path} cannot be read: {error}; make it readable, or name another in {DEFAULTS}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.lstrip().startswith(("#", ";")):
            found |= _assignments(line, place=f"{path}, line {number}")
    return found


def _assignments(line: str, *, place: str) -> dict[str, str]:
    words = _words(line, place=place)
    if words[:1] == ["export"]:
        del words[0]
    return dict(_pair(word, place=place) for word in takewhile(lambda word: not word.startswith("#"), words))


def _words(text: str, *, place: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise StartError(f"{place}: {str(error).lower()}; write it as a shell would take it") from error


def _pair(word: str, *, place: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name.isidentifier():
        raise StartError(f'{place}: {word!r} is not NAME=value; put a value with blanks in it in "quotes"')
    return name, value

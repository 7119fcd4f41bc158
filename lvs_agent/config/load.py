"""Reads a configuration file and makes the program's ``Config`` of it, or tells everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import tomli

from lvs_agent.checks.kinds import checkers
from lvs_agent.config.checks import CheckReader
from lvs_agent.config.draft import Draft, read_draft
from lvs_agent.config.findings import Location, Report, Told
from lvs_agent.config.inheritance import Checkers
from lvs_agent.config.meaning import fingerprint
from lvs_agent.config.resolve import resolve
from lvs_agent.config.secrets import SecretSource
from lvs_agent.config.settings import AgentSettings, Config, MetricsSettings
from lvs_agent.errors import ConfigError, Problem
from lvs_agent.model.intent import Intent, VirtualService

_PLACE = re.compile(r"(?P<what>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)
_KEY_TUPLE = re.compile(r"\('.*',?\)")
_QUOTED = re.compile(r"'([^']*)'")
_REMEDIES = (
    ("Cannot declare", "a table [x] may stand only once; arrays of tables are written [[x]]"),
    ("Cannot overwrite", "each key may stand only once in its table"),
    ("Invalid value", "texts are written in quotes, switches as true or false"),
    ("Expected '='", "each line is written key = value, and a key with blanks or dots in it in quotes"),
    ("Expected newline", "each key = value needs a line of its own"),
    ("Unclosed array", "close the array with ]"),
    ("Unterminated string", "close the text with a quote"),
    ("Illegal character", "close the text with a quote before the line ends"),
    ("Unescaped", "write \\\\ for a backslash, or put the text in single quotes"),
    ("Invalid hex", "write \\\\ for a backslash, or put the text in single quotes"),
)


class ConfigForm(Enum):
    """How a configuration file is written."""

    TOML = "toml"
    LDIRECTORD = "ldirectord"


def form_of(path: Path) -> ConfigForm:
    """What the file's name says: ``.cf`` is an ldirectord.cf, every other one is TOML."""
    return ConfigForm.LDIRECTORD if path.suffix == ".cf" else ConfigForm.TOML


def load_config(path: Path, form: ConfigForm | None = None, *, strict: bool = False) -> Config:
    """The configuration in the file ``path``, which is written in ``form`` (None: as its name says).

    ``strict``: of an ldirectord.cf only what ldirectord itself takes.  Raises ConfigError with everything that is
    wrong.
    """
    content, base = _read(path), path.absolute().parent
    if (form or form_of(path)) is ConfigForm.LDIRECTORD:
        return _ldirectord(content, name=path.name, base=base, strict=strict)
    return parse_config(_text(content, path), base=base)


def parse_config(text: str, *, base: Path) -> Config:
    """The configuration in the TOML ``text``.  Relative paths in it start at the directory ``base``.

    Raises ConfigError with everything that is wrong.
    """
    return config_from_tables(_tables(text), source=SecretSource.of_process(base))


def config_from_tables(
    tables: Mapping[str, Any],
    *,
    source: SecretSource,
    kinds: Checkers | None = None,
    places: Mapping[Location, int] | None = None,
) -> Config:
    """The configuration in ``tables``, which are laid out like the TOML file; every format is first made into them.

    ``kinds``: the checkers that there are, by default all that are installed.  ``places``: the lines that the tables
    come from, where these and not their keys are known to whom problems are told.

    Raises ConfigError with everything that is wrong.
    """
    told = None if places is None else _by_line(places)
    report = Report()
    reader = CheckReader(checkers=checkers() if kinds is None else kinds, source=source, report=report)
    draft = read_draft(tables, checks=reader, report=report)
    intent = resolve(draft, report, base=source.base)
    errors = report.errors(tables, told=told)
    if errors:
        raise ConfigError(errors)
    agent = _agent(draft, base=source.base)
    return Config(
        intent=intent,
        agent=agent,
        digest=fingerprint([agent, _services(intent)]),
        common_digest=fingerprint([_common(agent), _services(intent)]),
        warnings=report.warnings(tables, told=told),
    )


def _ldirectord(content: bytes, *, name: str, base: Path, strict: bool) -> Config:
    """Everything wrong at once: with the text, with what it means, and with what ldirectord refuses."""
    # An agent with a TOML file need not wait at its start for some thirty modules, here and below.
    from lvs_agent.ldirectord.reader.names import SystemNames  # noqa: PLC0415
    from lvs_agent.ldirectord.reader.reading import together, understand  # noqa: PLC0415
    from lvs_agent.ldirectord.reader.strict import refusal  # noqa: PLC0415

    names = SystemNames()
    understood = understand(content, name=name, names=names)
    reading, errors = understood.reading, understood.errors
    refused = refusal(content, names=names) if strict else None
    try:
        config = config_from_tables(reading.tables, source=SecretSource.of_process(base), places=reading.places)
    except ConfigError as error:
        raise ConfigError(together(errors, error.problems, refused)) from None
    if errors or refused:
        raise ConfigError(together(errors, (), refused))
    return replace(config, warnings=together(reading.warnings, config.warnings))


def _by_line(places: Mapping[Location, int]) -> Told:
    from lvs_agent.ldirectord.reader.places import by_line  # noqa: PLC0415

    return by_line(places)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        reason = "there is no such file; give its path with --config"
    except IsADirectoryError:
        reason = "is a directory; give the path of a file"
    except PermissionError:
        reason = "cannot be read: permission denied; let the user that runs lvs-agent read it"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    raise ConfigError([Problem(str(path), reason)])


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(str(path), f"line {line}: is not UTF-8 text; save the file in UTF-8")]) from None


def _tables(text: str) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except RecursionError:
        raise ConfigError([Problem("", "arrays or tables are nested too deeply")]) from None
    except ValueError as error:
        raise ConfigError([_syntax_problem(str(error), text)]) from None


def _syntax_problem(message: str, text: str) -> Problem:
    match = _PLACE.fullmatch(message)
    if match is None:
        return Problem("", "the file is not TOML: it has a number or a date that is out of range")
    line, column = match["line"], match["column"]
    if line is None:
        lines = text.split("\n")
        line, column = str(len(lines)), str(len(lines[-1]) + 1)
    remedy = next((remedy for start, remedy in _REMEDIES if match["what"].startswith(start)), None)
    what = _KEY_TUPLE.sub(_dotted, match["what"][:1].lower() + match["what"][1:])
    return Problem(f"line {line}, column {column}", f"{what}; {remedy}" if remedy else what)


def _dotted(keys: re.Match[str]) -> str:
    return f"[{'.'.join(_QUOTED.findall(keys[0]))}]"


def _agent(draft: Draft, *, base: Path) -> AgentSettings:
    return AgentSettings(
        listen=draft.agent.listen,
        state_dir=base / draft.agent.state_dir,
        reconcile_interval_s=draft.agent.reconcile_interval,
        compare_interval_s=draft.agent.compare_interval,
        on_stop=draft.agent.on_stop,
        command_concurrency=draft.agent.command_concurrency,
        thread_concurrency=draft.agent.thread_concurrency,
        command_user=draft.agent.command_user,
        maintenance_dir=None if draft.agent.maintenance_dir is None else base / draft.agent.maintenance_dir,
        reload_on_change=draft.agent.reload_on_change,
        log_format=draft.log.format,
        log_level=draft.log.level,
        metrics=MetricsSettings(real_servers=draft.metrics.real_servers, drop=frozenset(draft.metrics.drop)),
        web_config_file=None if draft.agent.web_config_file is None else base / draft.agent.web_config_file,
    )


def _common(agent: AgentSettings) -> list[object]:
    """What two directors of the same services have in common; address, directories and log are each one's own."""
    return [agent.reconcile_interval_s, agent.compare_interval_s, agent.on_stop, agent.metrics]


def _services(intent: Intent) -> list[object]:
    """The order of services and servers means nothing; a check's id already says everything about it."""
    services = sorted(intent.services, key=lambda service: str(service.service.key))
    return [_meaning(service) for service in services]


def _meaning(service: VirtualService) -> list[object]:
    servers = sorted(service.real_servers, key=lambda server: server.name)
    about = [service.comment, service.on_stop, service.sorry_command, service.monitor_file]
    return [service.name, service.service, service.sorry_server, service.quorum, servers, about]

"""What a file asks for as lines of text: the table, the checks, and everything that is said about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lvs_agent.config import Config, config_from_source
from lvs_agent.core.decide import History, decide
from lvs_agent.core.health import Health
from lvs_agent.errors import ConfigError
from lvs_agent.ipvs.ipvsadm import rules
from lvs_agent.ldirectord.reader.names import FixedNames
from lvs_agent.ldirectord.reader.reading import understand
from lvs_agent.ldirectord.reader.source import source_of
from lvs_agent.model.ipvs import Table

ADDRESSES = {"db1": "192.0.2.31", "db3": "192.0.2.33", "sql01": "192.0.2.1", "sql03": "192.0.2.3"}
HOSTS = FixedNames(ADDRESSES)
BASE = Path("/etc/ha.d")


def config_of(text: str | bytes) -> Config:
    """The configuration that a file with ``text`` is.  Raises ConfigError with everything that is wrong."""
    content = text if isinstance(text, bytes) else text.encode()
    understood = understand(content, name="ldirectord.cf", names=HOSTS)
    return config_from_source(source_of(understood), base=BASE)


def lines_of(text: str | bytes) -> list[str]:
    """What ``text`` asks for, or else everything that is wrong with it."""
    content = text if isinstance(text, bytes) else text.encode()
    try:
        config = config_of(content)
    except ConfigError as error:
        return [f"error {problem}" for problem in error.problems]
    return [*table_of(config), *_checks(config), *(f"warning {warning}" for warning in config.warnings)]


def table_of(config: Config, health: Health = Health.UP) -> tuple[str, ...]:
    """The wanted table while all real servers are in ``health``, as ``ipvsadm -S -n`` prints it."""
    healths = {
        (service.service.key, server.key): health
        for service in config.intent.services
        for server in service.real_servers
    }
    return rules(decide(config.intent, healths=healths, history=History(), observed=Table({})).desired)


def _checks(config: Config) -> Iterator[str]:
    """One line for each different check of a service, with how many of its servers have it."""
    for service in config.intent.services:
        found: dict[str, int] = {}
        for server in service.real_servers:
            for each in server.checks:
                spec = config.intent.checks[each]
                text = f"{spec.kind} port={spec.target.port} {spec.interval_s:g}/{spec.timeout_s:g}s fall={spec.fall}"
                found[text] = found.get(text, 0) + 1
        yield from (f"check {service.name}: {count} x {text}" for text, count in found.items())

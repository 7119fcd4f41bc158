"""Large files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvs_agent.config import parse_config
from lvs_agent.errors import ConfigError

_SERVICE = '[[virtual_service]]\naddress = "192.0.2.{0}"\nport = 80\ncheck = {{ type = "http", path = "/{0}" }}\n'
_SERVER = '[[virtual_service.real_server]]\naddress = "10.{0}.0.{1}"\nweight = {2}\n'


def _text(weight: int) -> str:
    return "".join(
        _SERVICE.format(service) + "".join(_SERVER.format(service, server, weight) for server in range(1, 101))
        for service in range(1, 11)
    )


def test_a_thousand_real_servers_are_loaded() -> None:
    """Each has its own check; settings that are the same are one object."""
    intent = parse_config(_text(1), base=Path("/etc")).intent

    assert sum(len(service.real_servers) for service in intent.services) == 1_000
    assert len(intent.checks) == 1_000
    assert len({id(spec.target.settings) for spec in intent.checks.values()}) == 10


def test_a_thousand_mistakes_are_all_told() -> None:
    """In the order of the file, each once."""
    with pytest.raises(ConfigError) as caught:
        parse_config(_text(-1), base=Path("/etc"))

    paths = [problem.path for problem in caught.value.problems]
    assert len(paths) == len(set(paths)) == 1_000
    assert paths[0] == "virtual_service[tcp/192.0.2.1:80].real_server[10.1.0.1:80].weight"
    assert paths[-1] == "virtual_service[tcp/192.0.2.10:80].real_server[10.10.0.100:80].weight"

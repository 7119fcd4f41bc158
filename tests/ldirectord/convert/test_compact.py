"""Tables made shorter: the same meaning, and what they look like."""

from __future__ import annotations

from typing import Any

import pytest
import tomli
from hypothesis import HealthCheck, assume, given, settings

from lvs_agent.checks.kinds import checkers
from lvs_agent.config.schema.keys import Mark, defaults_as_written, marked
from lvs_agent.config.schema.tables import RealServerTable
from lvs_agent.ldirectord.convert.compact import compact
from lvs_agent.ldirectord.convert.toml import to_toml
from tests.config.samples import sample
from tests.ldirectord.convert.tables import config_of, config_of_toml, configurations

_MOVED_OUT = marked(RealServerTable, Mark.INHERITED) & defaults_as_written(RealServerTable).keys()
CHECK = {"type": "http", "interval": "10s", "timeout": "3s", "rise": 1, "fall": 1, "path": "/test"}


def service(number: int, **keys: Any) -> dict[str, Any]:
    """A service with two real servers."""
    servers = [{"address": f"10.0.0.{place}", "port": 80, "forwarding": "direct", "weight": 1} for place in (1, 2)]
    return {"address": f"192.0.2.{number}", "port": 80, "scheduler": "wrr", "real_server": servers, **keys}


def short(*services: dict[str, Any], **tables: Any) -> dict[str, Any]:
    """The compact tables of ``services``."""
    return compact({**tables, "virtual_service": list(services)}, checkers=checkers())


@settings(max_examples=40, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)
@given(configurations())
def test_compact_tables_mean_the_same(tables: dict[str, Any]) -> None:
    """Table, checks and settings of the program have the same digest, through TOML too."""
    before = config_of(tables)
    assume(before is not None)
    assert before is not None

    text = to_toml(compact(tables, checkers=checkers()), notes={})

    assert config_of_toml(text).digest == before.digest


@pytest.mark.parametrize("key", sorted(_MOVED_OUT))
def test_every_inherited_key_is_written_as_far_out_as_it_holds(key: str) -> None:
    """Whatever it is: what all real servers of two services have is written once."""
    usual = defaults_as_written(RealServerTable)[key]
    _, sampled = sample(f"virtual_service.real_server.{key}")
    other = sampled["virtual_service"][0]["real_server"][0][key]
    servers = [{"address": f"10.0.0.{place}", "upper_threshold": 9, key: other} for place in (1, 2)]
    tables = short(service(1, real_server=servers), service(2, real_server=servers))

    levels = [tables.get("defaults", {}), *tables["virtual_service"]]
    assert other != usual
    assert [level[key] for level in levels if key in level] == [other] * (1 if key in levels[0] else 2)
    assert not any(key in server for each in tables["virtual_service"] for server in each["real_server"])


def test_what_all_services_share_is_in_the_defaults() -> None:
    """Type, times and scheduler of every service are written once."""
    tables = short(service(1, check=CHECK), service(2, check={**CHECK, "path": "/other"}))

    assert tables["defaults"] == {
        "scheduler": "wrr",
        "check": {"type": "http", "interval": "10s", "timeout": "3s", "rise": 1, "fall": 1},
    }
    assert [each["check"] for each in tables["virtual_service"]] == [{"path": "/test"}, {"path": "/other"}]


def test_exception_keeps_its_own_value() -> None:
    """What most services share is in the defaults, though one of them is different."""
    tables = short(
        service(1, check=CHECK), service(2, check={"type": "ping", "interval": "10s"}), service(3, check=CHECK)
    )

    assert tables["defaults"]["check"] == CHECK
    assert [each.get("check") for each in tables["virtual_service"]] == [
        None,
        {"type": "ping", "rise": 2, "fall": 3, "timeout": "1s"},
        None,
    ]


def test_single_service_has_everything_itself() -> None:
    """There is nothing to share, so a table of defaults would only be in the way."""
    tables = short(service(1, check=CHECK))

    assert set(tables) == {"virtual_service"}
    assert tables["virtual_service"][0]["check"] == CHECK


def test_servers_keep_only_what_tells_them_apart() -> None:
    """Port, weight and forwarding that hold anyway are left out."""
    (written,) = short(service(1, check=CHECK))["virtual_service"]

    assert written["real_server"] == [{"address": "10.0.0.1"}, {"address": "10.0.0.2"}]


def test_weights_that_differ_are_all_written() -> None:
    """Shares of something are read together."""
    servers = [{"address": "10.0.0.1", "weight": 1}, {"address": "10.0.0.2", "weight": 3}]
    (written,) = short(service(1, real_server=servers))["virtual_service"]

    assert written["real_server"] == servers


def test_weight_of_all_servers_is_the_services() -> None:
    """Ten servers with weight 100 need one line for it."""
    servers = [{"address": f"10.0.0.{number}", "weight": 100} for number in range(1, 11)]
    (written,) = short(service(1, real_server=servers))["virtual_service"]

    assert written["weight"] == 100
    assert {len(server) for server in written["real_server"]} == {1}


def test_own_request_of_a_server_stays_with_it() -> None:
    """The service's check holds for the others, however few they are."""
    servers = [{"address": "10.0.0.1"}, {"address": "10.0.0.2", "check": {"path": "/own"}}]
    (written,) = short(service(1, real_server=servers, check=CHECK))["virtual_service"]

    assert written["check"] == CHECK
    assert written["real_server"] == servers


def test_sorry_server_does_not_change_its_way() -> None:
    """A forwarding method that is moved outwards must not reach the sorry server."""
    servers = [{"address": "10.0.0.1", "forwarding": "masquerade"}, {"address": "10.0.0.2", "forwarding": "masquerade"}]
    sorry = {"address": "127.0.0.1", "port": 80}
    (written,) = short(service(1, real_server=servers, sorry_server=sorry))["virtual_service"]

    assert written["forwarding"] == "masquerade"
    assert written["sorry_server"] == {"address": "127.0.0.1", "forwarding": "direct"}


def test_port_that_is_checked_anyway_is_not_written() -> None:
    """The real server's port is checked, and the service's where it has none."""
    (written,) = short(service(1, check={**CHECK, "port": 80}))["virtual_service"]

    assert "port" not in written["check"]


def test_many_servers_are_shortened_in_no_time() -> None:
    """The work grows with the number of servers and not with its square."""
    servers = [
        {"address": f"10.0.{number >> 8}.{number & 255}", "check": {"path": f"/{number}"}} for number in range(1, 5_001)
    ]
    (written,) = short(service(1, real_server=servers, check=CHECK))["virtual_service"]

    assert len(written["real_server"]) == 5_000
    assert tomli.loads(to_toml({"virtual_service": [written]}, notes={})) == {"virtual_service": [written]}

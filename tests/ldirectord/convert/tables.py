"""Configurations as tables, of every shape that a reader could make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from lvs_agent.config import Config, config_from_tables, parse_config
from lvs_agent.config.secrets import SecretSource
from lvs_agent.errors import ConfigError

BASE = Path("/etc/ha.d")

_TIMES = st.sampled_from(["1s", "2s", "10s"])
_NUMBERS = st.integers(1, 3)
_COMMON = {
    "interval": _TIMES,
    "down_interval": _TIMES,
    "timeout": _TIMES,
    "rise": _NUMBERS,
    "fall": _NUMBERS,
}
_WITH_PORT = {"port": st.sampled_from([80, 443, 8080]), "connects_between": st.integers(0, 2)}
_HTTP = {
    "path": st.sampled_from(["/", "/test", "/\u007e%22"]),
    "method": st.sampled_from(["GET", "HEAD"]),
    "virtual_host": st.sampled_from(["a.example", "b.example"]),
    "status": st.sampled_from([["200-299"], [200, 304]]),
    "headers": st.sampled_from([{"Authorization": "Basic eDp5"}, {"User-Agent": "x", "X-Token": 'q"\\'}]),
}
_KINDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "tcp": _WITH_PORT,
    "http": _WITH_PORT | _HTTP,
    "https": _WITH_PORT | _HTTP | {"tls": st.sampled_from([{"verify": False}, {"verify": True, "server_name": "s"}])},
    "ping": {"payload_size": st.sampled_from(["56B", "64B"])},
    "none": {"result": st.sampled_from(["up", "down"])},
}
_COMMAND = {
    "command": st.sampled_from([["/bin/true"], ["/bin/check", "a b", "{address}"]]),
    "environment": st.sampled_from([{"PASSWORD": "x\r"}, {"PASSWORD": "\u5bc6\u7801\n", "LEVEL": "1"}]),
}


def _some(keys: dict[str, st.SearchStrategy[Any]], **always: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(always, optional={key: each for key, each in keys.items() if key not in always})


def _typed(kind: str) -> st.SearchStrategy[Any]:
    return _some(_COMMON | _KINDS[kind], type=st.just(kind))


CHECKS = st.one_of(
    *map(_typed, _KINDS),
    _some(_COMMON | _WITH_PORT | _COMMAND, type=st.just("command"), command=_COMMAND["command"]),
    _some(_COMMON),
)
_POOL = {
    "forwarding": st.sampled_from(["direct", "masquerade", "tunnel"]),
    "on_down": st.sampled_from(["remove", "quiesce"]),
    "initial": st.sampled_from(["up", "down"]),
    "readd_quiesced": st.booleans(),
    "checked": st.booleans(),
    "weight": st.integers(0, 3),
    "check": CHECKS,
}
_LIMITS = {"upper_threshold": st.sampled_from([0, 50, 90]), "lower_threshold": st.sampled_from([0, 50])}
_SCHEDULER = {"scheduler": st.sampled_from(["wrr", "wlc", "sh", "rr"])}
_SORRY = _some(
    {"forwarding": _POOL["forwarding"], "port": st.just(80), "weight": st.just(2)}, address=st.just("127.0.0.1")
)


@st.composite
def _services(draw: st.DrawFn, number: int) -> dict[str, Any]:
    key = draw(
        st.sampled_from(
            [
                {"address": "192.0.2.1", "port": 8000 + number, "protocol": "tcp"},
                {"address": "192.0.2.1", "port": 8000 + number, "protocol": "udp"},
                {"fwmark": number + 1, "family": "inet"},
            ]
        )
    )
    more = draw(
        _some(
            _POOL
            | _LIMITS
            | _SCHEDULER
            | {
                "sorry_server": _SORRY,
                "comment": st.just('say "x" \\ # y'),
                "on_stop": st.sampled_from(["keep", "remove"]),
                "allow_weight_zero": st.booleans(),
                "persistence": st.just({"timeout": "600s"}),
                "sorry_command": st.just({"command": ["/bin/sorry", "x y"], "timeout": "30s"}),
            }
        )
    )
    servers = draw(st.lists(_some(_POOL | _LIMITS), max_size=4))
    ports = [8000 + number] if "address" in key else [80, 8080]
    addressed = [
        {"address": f"10.0.{number}.{place + 1}", **draw(_some({"port": st.sampled_from(ports)})), **server}
        for place, server in enumerate(servers)
    ]
    return {**key, **more, "real_server": addressed}


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Tables that are laid out as the TOML file; some of them cannot be used."""
    services = [draw(_services(number)) for number in range(draw(st.integers(0, 4)))]
    agent = draw(_some({"on_stop": st.sampled_from(["keep", "remove"])}, state_dir=st.just("/var/lib/lvs-agent/a.cf")))
    tables = {"agent": agent, "virtual_service": services}
    return draw(st.sampled_from([tables, {**tables, "defaults": draw(_some(_POOL | _SCHEDULER))}]))


def config_of(tables: dict[str, Any]) -> Config | None:
    """What ``tables`` mean, or None where they cannot be used."""
    try:
        return config_from_tables(tables, source=SecretSource.of_process(BASE))
    except ConfigError:
        return None


def config_of_toml(text: str) -> Config:
    """What TOML means that stands in the same directory."""
    return parse_config(text, base=BASE)

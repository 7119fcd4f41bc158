"""The digest and the ids of checks: equal for equal meaning, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvs_agent.config import Config, parse_config

_PLAIN = """
[[virtual_service]]
address = "192.0.2.1"
port = 80
check = { interval = "2s", timeout = "1s" }

[[virtual_service.real_server]]
address = "10.0.0.1"
weight = 2

[[virtual_service.real_server]]
address = "10.0.0.2"

[[virtual_service]]
address = "2001:db8::1"
port = 443

[[virtual_service.real_server]]
address = "2001:db8::2"
"""

_SAME = """
# written by somebody else
[defaults]
scheduler = "wlc"
check.down_interval = "2000ms"

[[virtual_service]]
port = 443
address = "2001:0db8:0:0::1"
name = "tcp/[2001:db8::1]:443"
real_server = [{ address = "2001:db8:0::2", port = 443, weight = 1, forwarding = "direct" }]

[[virtual_service]]
protocol = "tcp"
port = 80
address = "192.0.2.1"
weight = 2
[[virtual_service.real_server]]
address = "10.0.0.2"
weight = 1
[[virtual_service.real_server]]
address = "10.0.0.1"
check = { type = "tcp", rise = 2, interval = "2s", port = 80 }
[agent]
reconcile_interval = "10000ms"
"""


def _parse(text: str) -> Config:
    return parse_config(text, base=Path("/etc/lvs-agent"))


def test_files_that_mean_the_same_have_the_same_digest() -> None:
    """Order, comments, spelling of addresses and durations, and defaults written out change nothing."""
    one, two = _parse(_PLAIN), _parse(_SAME)

    assert one.digest == two.digest
    assert one.intent.checks.keys() == two.intent.checks.keys()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("weight = 2", "weight = 3", id="weight"),
        pytest.param('"2s"', '"3s"', id="interval"),
        pytest.param('timeout = "1s"', 'timeout = "2s"', id="timeout"),
        pytest.param('"10.0.0.2"', '"10.0.0.3"', id="address"),
        pytest.param("port = 443", "port = 444", id="port"),
        pytest.param('address = "192.0.2.1"', 'name = "web"\naddress = "192.0.2.1"', id="name"),
        pytest.param('address = "192.0.2.1"', 'quorum = 2\naddress = "192.0.2.1"', id="quorum"),
        pytest.param('address = "192.0.2.1"', 'scheduler = "rr"\naddress = "192.0.2.1"', id="scheduler"),
        pytest.param('address = "192.0.2.1"', 'initial = "up"\naddress = "192.0.2.1"', id="initial"),
        pytest.param('address = "192.0.2.1"', 'on_down = "quiesce"\naddress = "192.0.2.1"', id="on-down"),
        pytest.param("\n[[", '\n[agent]\non_stop = "remove"\n[[', id="agent"),
    ],
)
def test_every_difference_in_meaning_changes_the_digest(old: str, new: str) -> None:
    """Two directors with the same digest do the same."""
    assert old in _PLAIN
    changed, plain = _parse(_PLAIN.replace(old, new, 1)), _parse(_PLAIN)

    assert changed.digest != plain.digest
    assert changed.common_digest != plain.common_digest


@pytest.mark.parametrize(
    "own",
    [
        'listen = "192.0.2.200:9659"',
        'state_dir = "/srv/lvs"',
        'maintenance_dir = "/srv/out"',
        "command_concurrency = 3",
    ],
)
def test_what_each_director_has_of_its_own_is_in_the_digest_alone(own: str) -> None:
    """Two directors that listen on their own addresses are not a mismatch, but a reload has something to do."""
    changed, plain = _parse(f"[agent]\n{own}\n{_PLAIN}"), _parse(_PLAIN)

    assert changed.digest != plain.digest
    assert changed.common_digest == plain.common_digest


def test_equal_checks_of_several_services_are_one() -> None:
    """A server behind two services is asked once where both want the same."""
    text = "".join(
        f'[[virtual_service]]\naddress = "192.0.2.1"\nport = {port}\ncheck.port = 9000\n'
        '[[virtual_service.real_server]]\naddress = "10.0.0.1"\n'
        for port in (80, 443)
    )

    assert len(_parse(text).intent.checks) == 1
    assert len(_parse(text.replace("9000", "80", 1)).intent.checks) == 2
    for more in ("connects_between = 2", 'fast_interval = "1s"'):
        assert len(_parse(text.replace("9000", f"9000\ncheck.{more}", 1)).intent.checks) == 2

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.maintenance import checked_servers, has_host_names, in_maintenance
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.model.ipvs import address_and_port
from tests.builders import check_spec, destination_key, fwmark_key, intent, real_server, service_key, virtual_service

V4: ServerKey = (service_key(), destination_key())
V6: ServerKey = (fwmark_key(), destination_key(address="2001:db8::1", port=0))
OTHER: ServerKey = (service_key(), destination_key(address="10.0.0.2"))
SERVERS = {V4: {8080}, V6: {443}, OTHER: {80}}
NAMES = {
    ip_address("10.0.0.1"): {"web1.Example.com"},
    ip_address("2001:db8::1"): {"web6.example.com.", "alias"},
}


def out(*files: str) -> frozenset[ServerKey]:
    """The servers that ``files`` take out."""
    return in_maintenance(files, servers=SERVERS, names=NAMES)


@pytest.mark.parametrize(
    "file",
    [
        "10.0.0.1",
        "10.0.0.1:80",
        "10.0.0.1:8080",
        "10.0.0.1:0",
        "web1.example.com",
        "WEB1.example.COM:80",
        "web1.example.com.",
        "web1.example.com:8080",
        "web1",
        "Web1:80",
        "web1:0",
    ],
)
def test_every_name_of_a_server_takes_it_out(file: str) -> None:
    """Address, host name and its first part, alone or with the row's port, the checked port or 0."""
    assert out(file) == {V4}


@pytest.mark.parametrize(
    "file",
    [
        "2001:db8::1",
        "[2001:db8::1]",
        "[2001:db8::1]:0",
        "[2001:db8::1]:443",
        "2001:DB8:0:0::0001",
        "[2001:0db8::0:1]:443",
        "web6.example.com:443",
        "web6",
        "alias",
    ],
)
def test_ipv6_is_named_with_and_without_brackets_in_any_spelling(file: str) -> None:
    """However an IPv6 address is written, it is the same server."""
    assert out(file) == {V6}


@pytest.mark.parametrize(
    "file",
    [
        "",
        ":80",
        "10.0.0.1:81",
        "10.0.0.1:",
        "10.0.0.1:http",
        "10.0.0.1:99999",
        "[10.0.0.1]",
        "[10.0.0.1]:80",
        "10.0.0.10",
        "10.0.0",
        "2001:db8::1:443",
        "[2001:db8::1]443",
        "[2001:db8::1",
        "web",
        "web1.example",
        "web1.example.com.example.com",
        ".10.0.0.1.swp",
        "10.0.0.1~",
        "10.0.0.1\n",
        " 10.0.0.1",
        "10.0.0.1:٨٠",
        "web1" * 100,
    ],
)
def test_nothing_else_takes_a_server_out(file: str) -> None:
    """Other ports, other hosts, an editor's leavings and half a name mean nobody."""
    assert out(file) == frozenset()


def test_several_files_take_out_all_that_they_name() -> None:
    """The answer is what any file names, over all services."""
    assert out("10.0.0.1", "10.0.0.2:80", "nobody") == {V4, OTHER}
    assert out() == frozenset()


def test_address_without_a_port_takes_it_out_of_every_service() -> None:
    """One machine in several services is one machine under repair; a port narrows it to its rows."""
    second: ServerKey = (service_key(port=443), destination_key(port=443))
    servers = {V4: {80}, second: {443}}

    assert in_maintenance(["10.0.0.1"], servers=servers, names={}) == {V4, second}
    assert in_maintenance(["10.0.0.1:443"], servers=servers, names={}) == {second}


@pytest.mark.parametrize(
    ("file", "is_name"),
    [
        ("10.0.0.1", False),
        ("10.0.0.1:80", False),
        ("[2001:db8::1]:80", False),
        ("2001:db8::1", False),
        ("web1", True),
        ("web1:80", True),
        ("x" * 300, False),
    ],
)
def test_only_host_names_ask_for_a_look_up(*, file: str, is_name: bool) -> None:
    """Files named after addresses need no resolver; neither does a name that no host can have."""
    assert has_host_names([file]) is is_name
    assert has_host_names(["10.0.0.9", file]) is is_name


@given(address=st.ip_addresses(), port=st.integers(0, 65_535))
def test_key_as_shown_everywhere_is_a_name(address: object, port: int) -> None:
    """What logs and ipvsadm call a real server is always a name that takes it out, and so is the long spelling."""
    key: ServerKey = (service_key(), destination_key(address=str(address), port=port))
    shown = address_and_port(key[1].address, port)
    long = key[1].address.exploded if isinstance(key[1].address, IPv6Address) else str(key[1].address)

    for file in (shown, str(address), long, long.upper()):
        assert in_maintenance([file], servers={key: ()}, names={}) == {key}


@given(st.lists(st.text(max_size=40) | st.from_regex(r"\[?[0-9a-f:.]{2,12}\]?(:[0-9]+)?", fullmatch=True)))
def test_any_file_name_is_taken(files: list[str]) -> None:
    """Whatever stands in the directory, there is an answer, and it names only servers that there are."""
    assert out(*files) <= SERVERS.keys()
    assert has_host_names(files) in {True, False}


def test_ports_come_from_the_checks() -> None:
    """The ports of a server are those of all its checks; a ping has none."""
    server = real_server(checks=("web", "ping"))
    service = virtual_service(real_servers=[server])
    wanted = intent(
        services=[service],
        checks=[check_spec(name="web", port=8080), check_spec(name="ping", kind="ping", port=None)],
    )

    assert checked_servers(wanted) == {(service.service.key, server.key): {8080}}

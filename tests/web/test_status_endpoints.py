"""The status, the reasons and the page as they are asked for over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.model.ipvs import AddDestination, AddService
from lvs_agent.web.page_files import SCRIPT_HASH, STYLE_HASH
from tests.builders import config_status
from tests.cli.agents import serving
from tests.web.showcase import SITES, showcase_backend, showcase_snapshot


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """An agent with the documentation's world."""
    with serving() as url:
        yield url


def test_status_has_states_rates_and_what_changed_last(url: str) -> None:
    """Everything that the page shows can be had as data."""
    document = httpx.get(f"{url}/api/v1/status").json()
    shop = document["services"][0]

    assert (shop["state"], shop["connections"]["active"], shop["rates"]["connections_per_s"]) == ("up", 2_805, 825)
    assert [server["state"] for server in shop["real_servers"]] == ["up", "up", "down", "up", "maintenance"]
    assert document["recent"][-1]["text"] == "api3 of api went down: http2 check failed (connection refused)"


def test_status_has_no_rates_where_the_kernel_does_not_estimate() -> None:
    """net.ipv4.vs.run_estimation is 0: the numbers that are there mean nothing."""
    still = MemoryIpvs(sysctls={"run_estimation": 0})
    told = showcase_backend().read_statistics()
    for entry in told.table.entries.values():
        still.apply(AddService(entry.service))
        for row in entry.destinations.values():
            still.apply(AddDestination(entry.service.key, row))
    for (service, server), counted in told.destinations.items():
        still.record(service=service, destination=server, statistics=counted)
    with serving(backend=still) as url:
        document = httpx.get(f"{url}/api/v1/status").json()
        page = httpx.get(url).text

    assert {service["rates"] for service in document["services"]} == {None}
    assert {server["rates"] for service in document["services"] for server in service["real_servers"]} == {None}
    assert document["services"][0]["connections"]["active"] == 2_805
    assert "no rates, because net.ipv4.vs.run_estimation is 0" in page


def test_why_answers_in_sentences(url: str) -> None:
    """One server, or all of a service."""
    one = httpx.get(f"{url}/api/v1/why", params={"virtual_service": "shop", "real_server": "web3"}).json()
    every = httpx.get(f"{url}/api/v1/why", params={"virtual_service": "203.0.113.10:443"}).json()

    assert (one["schema"], one["virtual_service"], one["key"]) == (1, "shop", "tcp/203.0.113.10:443")
    assert one["servers"] == [server for server in every["servers"] if server["real_server"] == "web3"]
    assert one["servers"][0]["sentences"][0] == {
        "about": "state",
        "text": "It is down for 12 min, since 2023-11-14 22:00:46 UTC.",
    }


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "virtual_service is missing"),
        ("virtual_service=shpo", 404, "did you mean shop?"),
        ("virtual_service=shop&real_server=%00%ff", 404, "known are web1, web2"),
    ],
)
def test_why_says_what_can_be_asked(url: str, query: str, status: int, words: str) -> None:
    """An error is JSON with the known names."""
    response = httpx.get(f"{url}/api/v1/why?{query}")

    assert response.status_code == status
    assert words in response.json()["error"]


def test_page_shows_what_its_address_asks_for(url: str) -> None:
    """A filter, and services by name; nonsense is not an error."""
    filtered = httpx.get(url, params={"filter": "web3"}).text
    asked = httpx.get(url, params={"service": ["dns", "no such"], "filter": ""}).text

    assert filtered.count('<details class="service') == 1
    assert 'value="web3"' in filtered
    assert '<details class="service" id="udp/203.0.113.53:53" open>' in asked
    assert httpx.get(f"{url}/?%ff=%00&filter=%ff%00&service=").status_code == 200


def test_page_is_compressed_for_who_accepts_it(url: str) -> None:
    """It comes every few seconds, perhaps over a thin line."""
    plain = httpx.get(url, headers={"accept-encoding": "identity"})
    packed = httpx.get(url, headers={"accept-encoding": "gzip"})

    assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 5
    assert packed.text == plain.text


@pytest.mark.parametrize("path", ["/", "/api/v1/status"])
def test_text_that_is_no_unicode_is_shown_all_the_same(path: str) -> None:
    """The configuration's file may be called anything; nobody's night may end with a blank page."""
    odd = replace(showcase_snapshot(), config=config_status(path="/etc/\udcff.toml"))
    with serving(snapshot=lambda: odd) as url:
        answer = httpx.get(url + path)

    assert answer.status_code == 200
    assert "/etc/?.toml" in answer.text


def test_policy_lets_the_page_do_what_it_does_and_no_more(url: str) -> None:
    """Its own style, its own script, requests and forms to the agent."""
    policy = httpx.get(url).headers["content-security-policy"]

    assert set(policy.split("; ")) == {
        "default-src 'none'",
        f"style-src '{STYLE_HASH}'",
        f"script-src '{SCRIPT_HASH}'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    }


def test_observing_agent_says_what_it_would_do() -> None:
    """The table differs, and stays so."""
    backend = MemoryIpvs()
    with serving(snapshot=lambda: showcase_snapshot(SITES[:1], writes=False), backend=backend) as url:
        told = httpx.get(f"{url}/api/v1/why", params={"virtual_service": "shop", "real_server": "web1"}).json()

    assert told["servers"][0]["settled"] is False
    assert told["servers"][0]["sentences"][-1] == {
        "about": "next",
        "text": "The agent only observes: it would add the service with this row, and does not.",
    }

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvs_agent.core.events import choose
from lvs_agent.core.snapshot import ReconcileStatus, Snapshot
from lvs_agent.model.check import CheckId, Failed, FailureReason
from lvs_agent.web.page import PageQuery, render_page
from lvs_agent.web.page_files import SCRIPT_HASH, STYLE_HASH
from lvs_agent.web.shown import Shown
from lvs_agent.web.sources import Sources
from lvs_agent.web.status import status_document
from tests.builders import (
    check_status,
    real_server,
    report,
    service,
    service_key,
    snapshot,
    statistics,
    table_of,
    virtual_service,
)
from tests.web.showcase import showcase_events
from tests.web.worlds import world_backend, world_snapshot

VOID = {"meta", "br", "input"}


class Outline(HTMLParser):
    """Collects tags and text; an end that closes something else than what is open raises."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.resources: list[str] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.resources += [value or "" for name, value in attrs if name in {"src", "href", "action"}]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.refers += [value or "" for name, value in attrs if name in {"for", "aria-labelledby"}]
        assert not [name for name, _ in attrs if name == "style" or name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data


def outline(page: str) -> Outline:
    """The parsed page; everything that was opened is closed."""
    found = Outline()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def world_page() -> str:
    """The page of a world with everything in it."""
    return page_of(world_snapshot())


def page_of(shown: Snapshot) -> str:
    """The page of ``shown`` as it is served, with what happened in the showcase."""
    sources = Sources(
        snapshot=lambda: shown, vitals=lambda: shown.vitals, events=lambda query: choose(showcase_events(), query)
    )
    return Shown(sources, world_backend().read_statistics()).page([])


def words_of(page: str) -> str:
    """The text of a page, each gap one space."""
    return " ".join(outline(page).text.split())


def test_page_shows_services_servers_states_and_reasons() -> None:
    """Everything an operator asks first is there in words."""
    text = words_of(world_page())

    for words in (
        "tcp/192.0.2.1:80 · scheduler wrr · persistent for 600 s",
        "unknown 1 of 3 real servers up, quorum 2",
        "http failed: status in 12.3 ms",
        "status 503 <b>&</b>",
        "tcp errored: no_descriptors",
        "ping has not run yet",
        "sorry server active",
        "On call: <web> team",
        "The configuration was not loaded: service.shop: no real server",
        "The last round failed: add service tcp/192.0.2.1:80: EPERM",
        "not in the configuration: shown, never changed",
        "10.0.0.77:80 of shop was added in the table by somebody else",
        "Pending: 1 change of the table",
        "web3 of shop went down: https check failed (status 503, wanted 200-299)",
        "It comes up after 1 more success of http on 10.0.0.2:80, in about 5 s at the earliest.",
    ):
        assert words in text


def test_page_needs_no_outside_resource() -> None:
    """It works from the agent alone: its style and script are in it, and every link is to the agent."""
    found = outline(world_page())

    assert not found.tags & {"link", "img", "iframe", "object"}
    assert [one for one in found.resources if not re.fullmatch(r"/[a-z0-9/]*|#[a-z0-9/.:]+", one)] == []


def test_every_id_is_there_once_and_every_reference_has_its_target() -> None:
    """Labels, links within the page, and what the script finds again after a refresh."""
    found = outline(world_page())
    targets = [one[1:] for one in found.resources if one.startswith("#")]

    assert [one for one, times in Counter(found.ids).items() if times > 1] == []
    assert targets
    assert set(targets) | set(found.refers) <= set(found.ids)


def test_sorry_server_that_is_a_real_server_too_is_there_twice() -> None:
    """Each time by an id of its own."""
    both = virtual_service(sorry_server=real_server().destination)
    found = outline(page_of(snapshot(services=[both])))

    assert [one for one in found.ids if one.startswith("why")] == [
        "why tcp/192.0.2.1:80 10.0.0.1:80",
        "why sorry tcp/192.0.2.1:80 10.0.0.1:80",
        "why tcp/192.0.2.1:80 10.0.0.3:80",
        "why tcp/192.0.2.1:80 10.0.0.77:80",
    ]
    assert len(found.ids) == len(set(found.ids))


@pytest.mark.parametrize(("tag", "allowed"), [("style", STYLE_HASH), ("script", SCRIPT_HASH)])
def test_policy_allows_exactly_what_is_on_the_page(tag: str, allowed: str) -> None:
    """The hash in the Content-Security-Policy is that of what stands between the tags."""
    found = re.findall(f"<{tag}>(.*?)</{tag}>", world_page(), re.DOTALL)

    assert ["sha256-" + base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in found] == [allowed]


@settings(max_examples=40)
@given(st.text(st.sampled_from("<>&\"'/ab{}%#\\\n"), min_size=1, max_size=30))
def test_nothing_from_outside_becomes_markup(hostile: str) -> None:
    """Names and details are text on the page, whatever is in them."""
    plain = render_page(status_document(world_of("name"), None))
    attacked = render_page(status_document(world_of(hostile), None))

    assert outline(attacked).tags == outline(plain).tags
    assert hostile in outline(attacked).text


def world_of(name: str) -> Snapshot:
    """A world that calls everything ``name``."""
    failed = check_status(last=report(result=Failed(FailureReason.CONTENT, name)))
    web = virtual_service(name=name, real_servers=[real_server(name=name)])
    return snapshot(
        services=[web], checks={CheckId("check"): failed}, reconcile=ReconcileStatus(errors=1, last_error=name)
    )


def test_page_without_services_says_so() -> None:
    """A plain exporter's page is not just empty."""
    text = outline(render_page(status_document(snapshot(), None))).text

    assert "No virtual service is configured" in text
    assert "statistics could not be read" in text


def test_all_well_is_said_too() -> None:
    """A page without a problem says that there is none, rather than nothing."""
    well = snapshot(services=[virtual_service(service=service(key=service_key(port=8080)))])

    text = words_of(render_page(status_document(well, statistics(table=table_of(*well.intent.services)))))

    assert "No problem is known" in text
    assert "Warning" not in text


def test_query_asks_for_services_and_words() -> None:
    """The address of a page is what a person sees: it can be kept and sent."""
    query = PageQuery.read(
        [("service", "a b"), ("filter", "x"), ("service", "a b"), ("other", "1"), ("filter", "down &")]
    )

    assert query == PageQuery(services=("a b",), filtered_by="down &")
    assert query.address("c") == "/?service=a+b&service=c&filter=down+%26"
    assert PageQuery().address() == "/"


def test_query_has_an_end() -> None:
    """A question without end is answered in part."""
    query = PageQuery.read([*(("service", str(number)) for number in range(10_000)), ("filter", "x" * 10_000)])

    assert (len(query.services), len(query.filtered_by)) == (100, 200)

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from lvs_agent.core.snapshot import ReconcileStatus, Snapshot
from lvs_agent.model.check import CheckId, Failed, FailureReason
from lvs_agent.web.page import STYLE_HASH, render_page
from lvs_agent.web.views import status_document
from tests.builders import check_status, real_server, report, snapshot, virtual_service
from tests.web.worlds import world_backend, world_snapshot

VOID = {"meta", "br"}


class Outline(HTMLParser):
    """Collects tags and text; an end that closes something else than what is open raises."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.resources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.resources += [value or "" for name, value in attrs if name in {"src", "href"}]
        assert not [name for name, _ in attrs if name == "style" or name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
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
    return render_page(status_document(world_snapshot(), world_backend().read_statistics()))


def test_page_shows_services_servers_states_and_reasons() -> None:
    """Everything an operator asks first is there in words."""
    text = " ".join(outline(world_page()).text.split())

    for words in (
        "shop tcp/192.0.2.1:80 · scheduler wrr · persistent for 600 s",
        "below quorum 1 of 3 real servers up, quorum 2",
        "http failed: status in 12.3 ms",
        "status 503 <b>&</b>",
        "tcp errored: no_descriptors",
        "ping has not run yet",
        "sorry server active",
        "On call: <web> team",
        "The configuration was not loaded: service.shop: no real server",
        "The table could not be made right: add service tcp/192.0.2.1:80: EPERM",
        "not in the configuration: shown, never changed",
    ):
        assert words in text


def test_page_needs_no_script_and_no_outside_resource() -> None:
    """It works from the agent alone, under a policy that allows nothing else."""
    found = outline(world_page())

    assert not found.tags & {"script", "link", "img", "iframe", "object"}
    assert [one for one in found.resources if not re.fullmatch(r"/[a-z0-9/]*", one)] == []


def test_policy_allows_exactly_the_style_of_the_page() -> None:
    """The hash in the Content-Security-Policy is that of what stands between the tags."""
    style = re.search("<style>(.*?)</style>", world_page(), re.DOTALL)

    assert style is not None
    assert "sha256-" + base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() == STYLE_HASH


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

"""The status page in a real browser: what an operator sees, and what the page does automatically."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

from lvs_agent.clock import SystemClock
from lvs_agent.core.events import choose
from lvs_agent.core.pool import Membership
from lvs_agent.core.snapshot import Snapshot
from lvs_agent.errors import Refused
from lvs_agent.ipvs.backend import IpvsBackend
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.model.check import Failed, FailureReason
from lvs_agent.model.statistics import Statistics
from lvs_agent.web.server import WebServer, bind
from lvs_agent.web.sources import Sources
from tests.builders import config_status, service, service_key, snapshot
from tests.web.showcase import SITES, Server, Site, showcase_backend, showcase_events, showcase_snapshot
from tests.web.worlds import world_backend, world_snapshot

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 30_000
WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=360, height=740)
BROKEN = Failed(FailureReason.STATUS, "status 503")


class Mute(MemoryIpvs):
    """A kernel that does not tell its statistics."""

    def read_statistics(self) -> Statistics:
        raise Refused("dump: EBUSY", errno_name="EBUSY")


class Director:
    """An agent's web server whose world can change, and which can go and come back."""

    def __init__(self, shown: Snapshot, backend: IpvsBackend) -> None:
        self.shown = shown
        self._backend = backend
        self._server: WebServer | None = None
        self._listener: socket.socket | None = bind(("127.0.0.1", 0))
        host, port = self._listener.getsockname()[:2]
        self._where: tuple[str, int] = (host, port)
        self.url = f"http://{host}:{port}/"

    def start(self) -> None:
        """Answer."""
        events = showcase_events()
        self._server = WebServer(
            listener=self._listener or bind(self._where),
            sources=Sources(
                snapshot=lambda: self.shown,
                vitals=lambda: self.shown.vitals,
                events=lambda query: choose(events, query),
            ),
            backend=self._backend,
            clock=SystemClock(),
        )
        self._listener = None
        self._server.start()
        self._server.wait_until_serving(20.0)

    def stop(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.stop()
            self._server = None


@contextmanager
def director(shown: Snapshot | None = None, backend: IpvsBackend | None = None) -> Iterator[Director]:
    """A director that is asked, by default the one of the documentation."""
    one = Director(shown or showcase_snapshot(), backend or showcase_backend())
    one.start()
    try:
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str, *, script: bool = True, viewport: ViewportSize = WIDE) -> Iterator[Page]:
    """A page that must not complain, nor ask anybody but the agent."""
    context = browser.new_context(viewport=viewport, java_script_enabled=script)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(url) else complaints.append(request.url))
    try:
        page.goto(url)
        yield page
        assert [text for text in complaints if "ERR_CONNECTION_REFUSED" not in text] == []
    finally:
        context.close()


def refresh(page: Page) -> None:
    """What the page does each few seconds, now."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def sites(**changed: Server) -> list[Site]:
    """The documentation's services, with another server in place of the one of that name."""
    return [replace(site, servers=tuple(changed.get(one.name, one) for one in site.servers)) for site in SITES]


def summary_of(page: Page, name: str) -> str:
    """The line of a service, each gap one space."""
    line = page.locator("details.service > summary").filter(has=page.get_by_role("heading", name=name, exact=True))
    return " ".join(line.inner_text().split())


def why_of(page: Page, server: str) -> Locator:
    """The sentences about a server, given by the keys of its service and its name, once they can be seen."""
    sentences = page.locator(f"[id='why {server}'] > .why")
    expect(sentences).to_be_visible()
    return sentences


ODD = Site(
    name="odd",
    row=service(key=service_key(address="203.0.113.99")),
    kind="tcp",
    port=80,
    rate=1,
    servers=(Server(name="gone", address="10.9.9.1", result=BROKEN, membership=Membership.WITHDRAWN, since_s=30),),
)
LONG = Site(
    name="service-" * 24,
    row=service(key=service_key(address="2001:db8:1111:2222:3333:4444:5555:6666")),
    kind="http",
    port=80,
    rate=10**12,
    quorum=2,
    comment="comment" * 40,
    servers=(
        Server(name="server-" * 30, address="2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"),
        Server(
            name="down-" * 30, address="2001:db8::2", result=Failed(FailureReason.CONTENT, "x" * 300), since_s=10**9
        ),
    ),
)
WORLDS: dict[str, tuple[Snapshot, IpvsBackend, tuple[str, ...]]] = {
    "a bad night": (
        showcase_snapshot(),
        showcase_backend(),
        (
            "below quorum",
            "down quiesced",
            "maintenance (up) for 25 h",
            "sorry server active",
            "up drained",
            "foreign",
            "5 problems",
        ),
    ),
    "a configuration that failed, drift, and our own fault": (
        world_snapshot(),
        world_backend(),
        (
            "not ready",
            "reload failed",
            "The configuration was not loaded: service.shop: no real server",
            "unknown held",
            "not configured",
            "this is not the server's fault: no_descriptors",
            "standby",
        ),
    ),
    "an agent that only observes": (
        showcase_snapshot(writes=False),
        showcase_backend(),
        ("observing", "changes nothing"),
    ),
    "a kernel that does not answer": (
        showcase_snapshot(),
        Mute(),
        ("statistics could not be read", "active connections"),
    ),
    "no service at all": (snapshot(), MemoryIpvs(), ("No virtual service is configured", "No problem is known")),
    "names without an end": (showcase_snapshot([LONG]), showcase_backend([LONG]), ("below quorum", LONG.name)),
    "a row that somebody deleted": (showcase_snapshot([ODD]), showcase_backend([ODD]), ("down withdrawn", "absent")),
}


@pytest.mark.parametrize("world", WORLDS)
def test_every_state_is_told_in_words_on_every_screen(browser: Browser, world: str) -> None:
    """Light and dark, wide and narrow: the words are there, and nothing sticks out of the screen."""
    shown, backend, words = WORLDS[world]
    with director(shown, backend) as agent, opened(browser, agent.url) as page:
        for scheme, viewport in (("light", WIDE), ("dark", WIDE), ("light", NARROW), ("dark", NARROW)):
            page.set_viewport_size(viewport)
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.evaluate("document.querySelectorAll('details.service').forEach((one) => { one.open = true; })")
            text = " ".join(page.locator("main").inner_text().split())

            assert [word for word in words if word not in text] == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_problems_lead_to_what_they_are_about(browser: Browser) -> None:
    """A click on a problem opens its service and goes there."""
    with director() as agent, opened(browser, agent.url) as page:
        page.locator("[id='tcp/203.0.113.10:443'] > summary").click()
        expect(page.locator("[id='tcp/203.0.113.10:443']")).not_to_have_attribute("open", "")
        page.get_by_role("link", name=re.compile("^web3 of shop is down")).click()

        expect(page.locator("[id='tcp/203.0.113.10:443']")).to_have_attribute("open", "")
        expect(page.get_by_text("3 of 5 real servers up")).to_be_in_viewport()


def test_everything_can_be_done_with_the_keyboard(browser: Browser) -> None:
    """Filter, open a service, ask for a server's reasons, pause: with Tab, Enter and the space bar alone."""
    with director() as agent, opened(browser, agent.url) as page:
        tab_to(page, "filter")
        page.keyboard.type("dns")
        expect(page.locator("details.service")).to_have_count(1)
        expect(page.locator("[id='udp/203.0.113.53:53']")).to_have_attribute("open", "")
        tab_to(page, "open udp/203.0.113.53:53")
        page.keyboard.press("Enter")
        expect(page.locator("[id='udp/203.0.113.53:53']")).not_to_have_attribute("open", "")
        page.keyboard.press("Enter")
        tab_to(page, "rows udp/203.0.113.53:53")
        tab_to(page, "ask udp/203.0.113.53:53 ns2")
        page.keyboard.press("Enter")
        expect(why_of(page, "udp/203.0.113.53:53 ns2")).to_contain_text("It is up for 12 d, since 2023-11-02")
        page.locator("#filter").focus()
        tab_to(page, "pause")
        page.keyboard.press("Space")
        expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until the element of that id has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == wanted:
            return
    raise AssertionError(f"Tab never came to {wanted}")


def test_refresh_shows_what_is_new_and_keeps_what_the_reader_did(browser: Browser) -> None:
    """Open and closed, focus, the place on the page: as they were, around new facts."""
    with director() as agent, opened(browser, agent.url) as page:
        mail, api = page.locator("[id='tcp/[2001:db8:10::25]:25']"), page.locator("[id='tcp/203.0.113.11:443']")
        mail.locator("> summary").click()
        api.locator("> summary").click()
        page.locator("[id='ask tcp/[2001:db8:10::25]:25 mx1']").click()
        page.evaluate("scrollTo(0, 300)")
        agent.shown = showcase_snapshot(sites(web3=Server(name="web3", address="10.0.10.13", since_s=2)))
        refresh(page)
        expect(page.get_by_text("4 of 5 real servers up")).to_be_visible()

        expect(mail).to_have_attribute("open", "")
        expect(api).not_to_have_attribute("open", "")
        expect(why_of(page, "tcp/[2001:db8:10::25]:25 mx1")).to_contain_text("It is up and in service.")
        assert page.evaluate("[document.activeElement.id, scrollY]") == ["ask tcp/[2001:db8:10::25]:25 mx1", 300]


def test_page_refreshes_by_itself_until_it_is_paused(browser: Browser) -> None:
    """Nobody touches it; and nothing moves while it is read at leisure."""
    with director() as agent, opened(browser, agent.url) as page:
        agent.shown = showcase_snapshot([ODD])
        expect(page.get_by_role("heading", name="odd")).to_be_visible()
        page.locator("#pause").click()
        expect(page.locator("#pause")).to_have_text("Paused")
        agent.shown = showcase_snapshot()
        page.clock.install()
        page.clock.run_for(60_000)
        assert page.get_by_role("heading", name="odd").count() == 1
        page.locator("#pause").click()
        expect(page.get_by_role("heading", name="shop")).to_be_visible()


def test_selected_text_is_not_taken_away(browser: Browser) -> None:
    """An address can be copied in peace; the page says that it waits, and goes on afterwards."""
    with director() as agent, opened(browser, agent.url) as page:
        agent.shown = showcase_snapshot([ODD])
        page.get_by_text("10.0.12.31:80").first.dblclick()
        refresh(page)
        expect(page.locator("#held")).to_be_visible()
        assert page.evaluate("String(getSelection())")
        page.evaluate("getSelection().removeAllRanges()")
        expect(page.get_by_role("heading", name="odd")).to_be_visible()
        expect(page.locator("#held")).to_be_hidden()


def test_service_in_which_something_goes_wrong_opens(browser: Browser) -> None:
    """And what is said aloud of it is one short line."""
    with director() as agent, opened(browser, agent.url) as page:
        dns = page.locator("[id='udp/203.0.113.53:53']")
        expect(dns).not_to_have_attribute("open", "")
        agent.shown = showcase_snapshot(
            sites(ns2=Server(name="ns2", address="10.0.53.2", result=BROKEN, membership=Membership.REMOVED, since_s=1))
        )
        refresh(page)

        expect(dns).to_have_attribute("open", "")
        expect(page.locator("#news")).to_have_text(
            "6 problems: intranet is down: none of 2 real servers is up; its sorry server is active"
        )
        expect(page).to_have_title(re.compile("^6 problems"))


def test_agent_that_is_gone_is_told_and_found_again(browser: Browser) -> None:
    """What is shown stays, with the time it is of; when the agent is back the page goes on."""
    with director() as agent, opened(browser, agent.url) as page:
        expect(page.locator("#gone")).to_be_hidden()
        agent.stop()
        refresh(page)
        expect(page.locator("#gone")).to_have_text(re.compile("^No answer since 2023-11-14 22:13:20 UTC"))
        expect(page.get_by_role("heading", name="shop")).to_be_visible()
        agent.shown = showcase_snapshot([ODD])
        agent.start()
        expect(page.get_by_role("heading", name="odd")).to_be_visible()
        expect(page.locator("#gone")).to_be_hidden()


def test_filter_finds_servers_and_stays_in_the_address(browser: Browser) -> None:
    """Several words must all be there; what is found is open; the address can be sent to somebody."""
    with director() as agent, opened(browser, agent.url) as page:
        page.locator("#filter").fill("down shop")
        expect(page.locator("details.service")).to_have_count(1)
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator("tbody tr")).to_contain_text("web3")
        assert page.url == f"{agent.url}?filter=down+shop"
        page.reload()
        expect(page.locator("#filter")).to_have_value("down shop")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.locator("#filter").fill("nothing like it")
        expect(page.get_by_text("No configured service or server matches the filter.")).to_be_visible()


MANY = [
    Site(
        name=f"farm-{n:03}",
        row=service(key=service_key(address=f"198.51.{n // 250}.{n % 250 + 1}")),
        kind="http",
        port=80,
        rate=1,
        servers=tuple(Server(name=f"f{n:03}-{m}", address=f"10.{n}.0.{m}") for m in range(1, 11)),
    )
    for n in range(60)
]


def test_rows_that_were_left_out_come_when_their_service_is_opened(browser: Browser) -> None:
    """Six hundred servers are not written at once; a closed service is read when it is opened, and stays read."""
    with director(showcase_snapshot(MANY), showcase_backend(MANY)) as agent, opened(browser, agent.url) as page:
        last = page.locator("[id='tcp/198.51.0.60:80']")
        expect(last.locator("tbody tr")).to_have_count(0)
        assert page.locator("tbody tr").count() < 400
        last.locator("> summary").click()
        expect(last.locator("tbody tr")).to_have_count(10)
        refresh(page)
        expect(last.locator("tbody tr")).to_have_count(10)
        expect(last).to_have_attribute("open", "")


def test_page_is_whole_without_script(browser: Browser) -> None:
    """Reasons open, the filter works, rows that were left out have a link, and so has a newer page."""
    with (
        director(showcase_snapshot(MANY), showcase_backend(MANY)) as agent,
        opened(browser, agent.url, script=False) as page,
    ):
        expect(page.locator("#pause")).to_be_hidden()
        expect(page.get_by_role("link", name="Refresh")).to_be_visible()
        page.locator("[id='tcp/198.51.0.60:80'] > summary").click()
        page.get_by_role("link", name="Show its 10 real servers").last.click()
        expect(page.locator("[id='tcp/198.51.0.60:80'] tbody tr")).to_have_count(10)
        page.locator("[id='ask tcp/198.51.0.60:80 f059-3']").click()
        expect(why_of(page, "tcp/198.51.0.60:80 f059-3")).to_contain_text("It is up for 12 d, since 2023-11-02")
        page.get_by_role("searchbox", name="Filter services and servers").fill("f007-2")
        page.get_by_role("button", name="Filter").click()
        expect(page.locator("tbody tr")).to_have_count(1)


def test_structure_is_there_for_who_does_not_see_it(browser: Browser) -> None:
    """Landmarks, headings, named regions and tables with captions and headers."""
    with director() as agent, opened(browser, agent.url) as page:
        for role in ("banner", "navigation", "search", "main"):
            expect(page.get_by_role(role)).to_have_count(1)
        expect(page.get_by_role("region", name="Servers of shop")).to_be_visible()
        table = page.get_by_role("table", name="Servers of shop")
        expect(table.get_by_role("rowheader")).to_have_count(5)
        expect(table.get_by_role("columnheader", name="Last check, and why")).to_have_count(1)
        assert page.get_by_role("heading").first.inner_text().startswith("lvs-agent")


def test_lines_are_no_longer_than_people_read_and_plain_text_is_plain(browser: Browser) -> None:
    """On a very wide screen the page keeps its width; what needs no attention has the colour of ink."""
    with director() as agent, opened(browser, agent.url, viewport=ViewportSize(width=2560, height=900)) as page:
        widths = [page.locator(part).bounding_box() for part in ("header", "form", "main")]
        colours = {
            page.locator(part).first.evaluate("(one) => getComputedStyle(one).color")
            for part in ("body", "main", "td.number")
        }

        assert [box["width"] for box in widths if box] == [84 * 16] * 3
        assert len(colours) == 1


def test_reload_that_failed_is_on_top(browser: Browser) -> None:
    """The configuration in force stays, and what is wrong with the newer one is the first thing to read."""
    refused = config_status(last_reload_successful=False, problems=("virtual_service.shop.port: must be a port",))
    shown = replace(showcase_snapshot(), config=refused)
    with director(shown) as agent, opened(browser, agent.url) as page:
        expect(page.locator(".problems li").first).to_contain_text(
            "The configuration was not loaded: virtual_service.shop.port: must be a port"
        )
        expect(page.locator(".tiles")).to_contain_text("reload failed")

from __future__ import annotations

from dataclasses import replace

import pytest

from lvs_agent.core.pool import Membership
from lvs_agent.model.check import Failed, FailureReason
from lvs_agent.web.document import StatusDocument
from lvs_agent.web.page_view import MOST_PROBLEMS, ROWS, ROWS_OF_ONE, PageView, view_page
from lvs_agent.web.status import status_document
from tests.builders import service, service_key, snapshot, statistics, virtual_service
from tests.web.showcase import SITES, Server, Site, showcase_backend, showcase_snapshot
from tests.web.worlds import world_backend, world_snapshot

BROKEN = Failed(FailureReason.STATUS, "status 503")


def site(number: int, *servers: Server) -> Site:
    """A service of its own."""
    return Site(
        name=f"farm-{number}",
        row=service(key=service_key(address=f"198.51.{number // 250}.{number % 250 + 1}")),
        kind="http",
        port=80,
        rate=1,
        servers=servers,
    )


def up(number: int, of: int = 0) -> Server:
    """A server that is up."""
    return Server(name=f"f{of}-{number}", address=f"10.{of % 250}.{number // 250}.{number % 250 + 1}")


def down(number: int, of: int = 0) -> Server:
    """A server that is down."""
    return replace(up(number, of), result=BROKEN, membership=Membership.REMOVED, since_s=5)


def document_of(*sites: Site) -> StatusDocument:
    """The status of a director with these services."""
    return status_document(showcase_snapshot(sites), showcase_backend(sites).read_statistics())


def order(view: PageView) -> list[tuple[str, bool]]:
    """The services as they stand, and which are open."""
    return [(one.service["name"], one.open) for one in view.services]


def test_what_cannot_serve_comes_first_and_what_is_well_is_closed() -> None:
    """Down, below quorum, up with something wrong, well; within these the configuration's order."""
    view = view_page(document_of(*SITES))

    assert order(view)[:5] == [("intranet", True), ("api", True), ("shop", True), ("dns", False), ("mail", False)]
    assert [one.rows for one in view.services if not one.rows] == []


def test_few_services_are_all_open() -> None:
    """A small director has nothing to hide."""
    assert order(view_page(document_of(site(0, up(1)), site(1, up(1, 1))))) == [("farm-0", True), ("farm-1", True)]


def test_rows_are_cut_from_the_services_that_are_well() -> None:
    """However many servers there are, the page has an end, and what is wrong is on it."""
    sites = [site(n, *(up(m, n) for m in range(10))) for n in range(100)]
    sites[90] = site(90, down(0, 90), *(up(m, 90) for m in range(1, 10)))
    view = view_page(document_of(*sites))

    assert sum(len(one.rows) for one in view.services) == ROWS
    assert order(view)[0] == ("farm-90", True)
    assert not any(one.open for one in view.services[1:])
    assert {one.count for one in view.services} == {10}


def test_large_service_shows_those_that_are_not_up_first() -> None:
    """And all of them where it is asked for by name."""
    large = document_of(site(0, *(up(m) for m in range(400)), down(400)))
    (cut,) = view_page(large).services
    (whole,) = view_page(large, asked={"farm-0"}).services

    assert (len(cut.rows), cut.count, cut.rows[0]["name"]) == (ROWS_OF_ONE, 401, "f0-400")
    assert (len(whole.rows), whole.rows[-1]["name"], whole.open) == (401, "f0-400", True)


@pytest.mark.parametrize(
    ("words", "services", "servers"),
    [
        ("dns", ["dns"], ["ns1", "ns2", "ns3"]),
        ("DNS ns2", ["dns"], ["ns2"]),
        ("10.0.10.13", ["shop"], ["web3"]),
        ("drained", ["reports"], ["replica2"]),
        ("203.0.113.12", ["intranet"], ["wiki1", "wiki2"]),
        ("on call", ["shop"], ["web1", "web2", "web3", "web4", "web5"]),
        ("below quorum", ["api"], ["api1", "api2", "api3"]),
        ("no such", [], []),
    ],
)
def test_filter_leaves_what_has_all_its_words(words: str, services: list[str], servers: list[str]) -> None:
    """A service that has them is whole, another one has the rows that do; everything found is open."""
    view = view_page(document_of(*SITES), filtered_by=words)

    assert order(view) == [(name, True) for name in services]
    assert [row["name"] for one in view.services for row in one.rows] == servers
    assert view.filtered


def test_filter_reaches_what_is_not_on_the_page() -> None:
    """Rows that were cut are found all the same."""
    sites = [site(n, *(up(m, n) for m in range(10))) for n in range(100)]

    (found,) = view_page(document_of(*sites), filtered_by="f99-7").services
    assert [row["name"] for row in found.rows] == ["f99-7"]


def test_problems_are_in_the_order_of_their_weight() -> None:
    """What keeps the agent from working, then services without service, then servers, then what others did."""
    document = status_document(world_snapshot(), None)

    assert [(one.gravity, one.text.partition(":")[0]) for one in view_page(document).problems] == [
        ("bad", "The kernel's statistics could not be read; rows are those of the last round, 5.0 s ago"),
        ("bad", "The configuration was not loaded"),
        ("bad", "The last round failed"),
        ("bad", "empty is down"),
        ("bad", "It is not known whether shop reaches its quorum"),
        ("warn", "broken of shop is down"),
        ("warn", "The tcp check of unknown of shop could not run; this is not the server's fault"),
        ("warn", "10.0.0.77"),
        ("warn", "Pending"),
        ("warn", "Configuration"),
    ]


def test_problems_have_an_end() -> None:
    """A thousand servers that are down are counted, not listed."""
    view = view_page(document_of(site(0, up(0), *(down(m) for m in range(1, 1_000)))))

    assert len(view.problems) == MOST_PROBLEMS
    assert view.more_problems == 999 - MOST_PROBLEMS


def test_server_of_a_service_that_is_down_as_a_whole_is_no_problem_of_its_own() -> None:
    """One line says it."""
    view = view_page(document_of(site(0, down(0), down(1))))

    assert [one.text for one in view.problems] == ["farm-0 is down: none of 2 real servers is up"]


def test_totals_are_sums_of_what_is_known() -> None:
    """Real servers by state, traffic where the kernel tells it, and None where it does not."""
    known = view_page(document_of(*SITES)).totals
    unknown = view_page(status_document(showcase_snapshot(), None)).totals

    assert (known.servers, known.states["up"], known.states["down"], known.quorate) == (42, 36, 5, 12)
    assert known.connections_per_s == 825 + 840 + 9 + 10_200 + 27 + 65 + sum(3 * (20 + 7 * n) for n in range(1, 9))
    assert (unknown.connections, unknown.connections_per_s) == (None, None)


def test_kernel_that_keeps_no_rates_is_told_from_one_that_was_not_read() -> None:
    """Only the first is a setting that can be changed."""
    without = status_document(world_snapshot(), world_backend().read_statistics().without_rates())

    assert view_page(without).no_rates
    assert not view_page(status_document(world_snapshot(), None)).no_rates
    assert not view_page(status_document(snapshot(), statistics())).no_rates


def test_service_that_the_kernel_does_not_have_is_a_problem() -> None:
    """Its servers are up, and nobody reaches them."""
    view = view_page(status_document(snapshot(services=[virtual_service()]), statistics()))

    assert [one.text for one in view.problems] == ["web is not in the kernel's table"]
    assert view.services[0].wrong

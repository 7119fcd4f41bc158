"""What is kept from scrape to scrape, and when it is not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.model.intent import VirtualService
from lvs_agent.model.ipvs import Destination, Table
from lvs_agent.view.columns import ColumnStore
from lvs_agent.view.series_index import AlignedLookup, IndexCache
from tests.builders import (
    destination,
    intent,
    real_server,
    service,
    service_entry,
    service_key,
    snapshot,
    table,
    table_of,
    virtual_service,
)

WEB = virtual_service(real_servers=[real_server(), real_server(address="10.0.0.2")])
ONE, TWO = (server.destination for server in WEB.real_servers)
FOREIGN = destination(address="10.0.0.77")


def with_rows(*rows: Destination) -> Table:
    """The table in which the service has these rows."""
    return table(service_entry(service=WEB.service, destinations=rows))


@given(st.lists(st.dictionaries(st.integers(0, 9), st.text(max_size=3)), max_size=5), st.lists(st.integers(0, 9)))
def test_lookup_finds_every_value_whatever_came_before(mappings: list[dict[int, str]], wanted: list[int]) -> None:
    """In each mapping the value of each key, or None, also where the one before had other keys or another order."""
    lookup = AlignedLookup(wanted)

    for mapping in mappings:
        assert lookup.values_in(mapping) == [mapping.get(key) for key in wanted]


@pytest.mark.parametrize(
    "rows", [(ONE, TWO), (TWO, ONE), (ONE,), ()], ids=["as before", "another order", "one is down", "all are down"]
)
def test_index_stays_while_only_configured_servers_come_and_go(rows: tuple[Destination, ...]) -> None:
    """A server that goes down leaves the kernel's table, but not the page."""
    wanted, indexes = intent(services=[WEB]), IndexCache()
    before = indexes.of(wanted, with_rows(ONE, TWO))

    assert indexes.of(wanted, with_rows(*rows)) is before
    assert indexes.of(wanted, with_rows(ONE, TWO)) is before


@pytest.mark.parametrize(
    ("services", "kernel", "servers"),
    [
        pytest.param([WEB], with_rows(ONE, FOREIGN), 3, id="foreign row"),
        pytest.param([WEB], table(*table_of(WEB).entries.values(), service_entry(
            service=service(key=service_key(port=81)), destinations=[FOREIGN])), 3, id="foreign service"),
        pytest.param([virtual_service(real_servers=[real_server()])], with_rows(ONE, TWO), 2, id="not ours any more"),
        pytest.param([], Table(), 0, id="nothing left"),
    ],
)  # fmt: skip
def test_index_is_made_anew_where_somebody_comes_or_goes(
    services: list[VirtualService], kernel: Table, servers: int
) -> None:
    """Another configuration, a row or a service that nobody configured: what was kept is not shown."""
    indexes = IndexCache()
    before = indexes.of(intent(services=[WEB]), with_rows(ONE, TWO))
    after = indexes.of(intent(services=services), kernel)

    assert after is not before
    assert len(after.server_labels) == len(after.server_keys) == len(after.real_servers) == servers
    again = IndexCache().of(intent(services=services), kernel)
    assert (after.server_labels, after.hidden) == (again.server_labels, again.hidden)


def test_threads_that_share_a_cache_get_the_index_that_each_asks_for() -> None:
    """Two readings at the same time, of tables that differ, are each joined with their own rows."""
    cache, wanted = IndexCache(), intent(services=[WEB])
    tables = [with_rows(ONE, TWO), with_rows(TWO, FOREIGN), with_rows(FOREIGN, ONE)] * 20

    def rows(seen: Table) -> list[Destination | None]:
        return ColumnStore(snapshot(services=[WEB]), table=seen, statistics=None, indexes=cache).rows

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(rows, tables))

    alone = [
        ColumnStore(snapshot(services=[WEB]), table=seen, statistics=None, indexes=IndexCache()) for seen in tables
    ]
    assert found == [store.rows for store in alone]
    assert len(cache.of(wanted, tables[0]).server_labels) == 2

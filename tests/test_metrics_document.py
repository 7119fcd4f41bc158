"""What docs/metrics.md says: that it is up to date, and that the numbers of series in it are the true ones."""

from __future__ import annotations

from collections import Counter

import pytest

from lvs_agent.config import MetricsSettings, ServerDetail
from lvs_agent.core.snapshot import Snapshot
from lvs_agent.metrics.exposition import Exposition
from lvs_agent.metrics.metric import Scope
from lvs_agent.metrics.reading import Reading, Source, SourceRun
from lvs_agent.metrics.selection import Filters, select
from lvs_agent.model.check import CheckId, Passed
from lvs_agent.model.intent import VirtualService
from lvs_agent.model.statistics import Counters, KernelInfo
from tests.builders import (
    NOW,
    check_spec,
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
from tests.metrics_document import DOCUMENT, cost, document, fixed_cost, series_of

COSTS = {
    ServerDetail.FULL: (24, 50),
    ServerDetail.STATE: (9, 50),
    ServerDetail.OFF: (0, 50),
}
"""Series of a real server and of a virtual service.  Whoever raises these makes other people's Prometheus slower."""


def world(*, services: int, servers: int, kinds: int = 1) -> Reading:
    """So many services with so many servers each, all in the kernel's table, checked over TLS in ``kinds`` ways."""
    wanted = [of_number(number, servers=servers, kinds=kinds) for number in range(services)]
    names = [check for one in wanted for server in one.real_servers for check in server.checks]
    passed = check_status(last=report(result=Passed(certificate_not_after=NOW)))
    seen: Snapshot = snapshot(
        services=wanted,
        specs=[check_spec(name=name, kind=f"kind{name.rpartition('/')[2]}") for name in names],
        checks={CheckId(name): passed for name in names},
    )
    info = KernelInfo(version="1.2.1", connection_table_size=4096, totals=Counters(), sysctls={"conntrack": 0})
    return Reading(
        snapshot=seen,
        statistics=statistics(table=table_of(*wanted)),
        info=info,
        sources={source: SourceRun(success=True, duration_s=0.0) for source in Source},
    )


def of_number(number: int, *, servers: int, kinds: int) -> VirtualService:
    """A service whose names and addresses are its own."""
    return virtual_service(
        name=f"service{number}",
        service=service(key=service_key(port=1_000 + number)),
        real_servers=[
            real_server(address=f"10.0.{number}.{host}", checks=[f"{number}/{host}/{kind}" for kind in range(kinds)])
            for host in range(servers)
        ],
    )


def series(reading: Reading, detail: ServerDetail = ServerDetail.FULL) -> Counter[str]:
    """How many series a page has, by the name of the sample."""
    selection = select(MetricsSettings(real_servers=detail), Filters())
    lines = Exposition().render(reading, accept="", selection=selection).body.decode().splitlines()
    return Counter(line.partition("{")[0].partition(" ")[0] for line in lines if not line.startswith("#"))


def test_document_is_up_to_date() -> None:
    """The file is what the table gives now; ``make docs`` writes it."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()


@pytest.mark.parametrize("detail", ServerDetail)
def test_series_grow_with_servers_and_services_as_the_document_says(detail: ServerDetail) -> None:
    """A page has a series for each of a*servers + b*services + c, and a and b are the promised ones."""
    of_server, of_service = COSTS[detail]
    assert (cost(Scope.SERVER, detail), cost(Scope.SERVICE, detail)) == (of_server, of_service)
    sizes = {
        (services, servers): series(world(services=services, servers=servers), detail).total()
        for services, servers in ((1, 1), (1, 2), (2, 1), (3, 4))
    }

    fixed = sizes[1, 1] - of_server - of_service
    assert sizes == {
        (services, servers): services * servers * of_server + services * of_service + fixed
        for services, servers in sizes
    }
    assert abs(fixed - fixed_cost()) <= 10  # sysctls and synchronisation daemons are the kernel's


def test_further_kinds_of_checks_cost_what_the_document_says() -> None:
    """Durations and failures are by kind of check: what a service has of them grows with its kinds, and no server's."""
    one, three = (series(world(services=2, servers=3, kinds=kinds)) for kinds in (1, 3))
    by_kind = sum(
        series_of(metric) for metric in select(MetricsSettings(), Filters()).metrics if "check" in metric.labels
    )

    assert by_kind == 26
    assert three.total() - one.total() == 2 * 2 * by_kind
    assert {name for name in three if three[name] != one[name]} == {
        "lvs_virtual_service_check_duration_seconds_bucket",
        "lvs_virtual_service_check_duration_seconds_count",
        "lvs_virtual_service_check_duration_seconds_sum",
        "lvs_virtual_service_check_failures_total",
    }


def test_labels_with_words_of_the_operator_are_few() -> None:
    """Everything else that a label can say is from a closed set: no label holds what a server or a client sent."""
    free = {"virtual_service", "real_server"}
    from_rows = {"local_address", "local_port", "remote_address", "remote_port", "local_mark", "scheduler", "flags"}
    closed = {
        "action", "address_family", "cause", "check", "collector", "error", "forward_method", "interface", "kind",
        "level", "name", "operation", "outcome", "proto", "pyversion", "reason", "revision", "role", "sorry_server",
        "state", "to", "version",
    }  # fmt: skip
    labels = {label for metric in select(MetricsSettings(), Filters()).metrics for label in metric.labels}

    assert labels == free | from_rows | closed

"""What each metric says about a reading."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lvs_agent.core.health import Health
from lvs_agent.core.pool import Membership
from lvs_agent.core.reconcile import Drift, DriftKind
from lvs_agent.core.snapshot import (
    CHECK_BOUNDS,
    EngineStatus,
    Histogram,
    ReconcileStatus,
    ServerStatus,
    Snapshot,
)
from lvs_agent.core.sorry_command import SorryAction, SorryOutcome
from lvs_agent.metrics.exposition import Exposition
from lvs_agent.metrics.metric import Scope
from lvs_agent.metrics.reading import Reading, Source, SourceRun
from lvs_agent.metrics.table import METRICS
from lvs_agent.model.check import CheckId, Errored, ErrorReason, Failed, FailureReason, Load, Passed
from lvs_agent.model.intent import SorryCommand
from lvs_agent.model.ipvs import Family, ForwardingMethod, SchedulerFlag, ServiceKey, Table
from lvs_agent.model.statistics import Counters, DestinationStatistics, KernelInfo, SyncDaemon
from tests.builders import (
    NOW,
    check_spec,
    check_status,
    config_status,
    destination,
    fwmark_key,
    persistence,
    pool,
    real_server,
    report,
    service,
    service_entry,
    service_key,
    snapshot,
    statistics,
    table,
    table_of,
    virtual_service,
)

WEB = 'virtual_service="web"'
ONE = 'real_server="10.0.0.1:80",virtual_service="web"'


def series(reading: Reading) -> dict[str, float]:
    """Every line of the text rendering by its name with labels; the test fails where a line comes twice."""
    lines = Exposition().render(reading, accept="").body.decode().splitlines()
    samples = [line.rpartition(" ")[::2] for line in lines if not line.startswith("#")]
    assert len({name for name, _ in samples}) == len(samples)
    return {name: float(value) for name, value in samples}


def of(seen: Snapshot, **kernel: object) -> dict[str, float]:
    """The series of a snapshot, with the kernel's part as given."""
    return series(Reading(snapshot=seen, **kernel))  # type: ignore[arg-type]


def named(found: dict[str, float], family: str) -> dict[str, float]:
    """The series of one family by their labels."""
    return {name.removeprefix(family): value for name, value in found.items() if name.partition("{")[0] == family}


NAMES = {
    "lvs_connections_total": "",
    "lvs_incoming_packets_total": "",
    "lvs_outgoing_packets_total": "",
    "lvs_incoming_bytes_total": "",
    "lvs_outgoing_bytes_total": "",
    "lvs_connection_table_buckets": "",
    "lvs_ipvs_info": "version",
    "lvs_sysctl": "name",
    "lvs_sync_daemon_up": "role interface",
    "lvs_virtual_service_info": (
        "virtual_service local_address local_port proto local_mark address_family scheduler flags"
    ),
    "lvs_virtual_service_connections_total": "virtual_service",
    "lvs_virtual_service_incoming_packets_total": "virtual_service",
    "lvs_virtual_service_outgoing_packets_total": "virtual_service",
    "lvs_virtual_service_incoming_bytes_total": "virtual_service",
    "lvs_virtual_service_outgoing_bytes_total": "virtual_service",
    "lvs_virtual_service_active_connections": "virtual_service",
    "lvs_virtual_service_inactive_connections": "virtual_service",
    "lvs_virtual_service_persistent_connections": "virtual_service",
    "lvs_virtual_service_weight": "virtual_service",
    "lvs_virtual_service_configured_weight": "virtual_service",
    "lvs_virtual_service_real_servers": "virtual_service state",
    "lvs_virtual_service_quorum": "virtual_service",
    "lvs_virtual_service_quorum_up": "virtual_service",
    "lvs_virtual_service_sorry_server_active": "virtual_service",
    "lvs_virtual_service_persistence_timeout_seconds": "virtual_service",
    "lvs_virtual_service_check_interval_seconds": "virtual_service",
    "lvs_virtual_service_check_timeout_seconds": "virtual_service",
    "lvs_virtual_service_check_duration_seconds": "virtual_service check",
    "lvs_virtual_service_check_failures_total": "virtual_service check reason",
    "lvs_virtual_service_drift_entries": "virtual_service kind",
    "lvs_real_server_info": (
        "virtual_service real_server local_address local_port remote_address remote_port proto local_mark"
        " forward_method sorry_server"
    ),
    "lvs_real_server_connections_total": "virtual_service real_server",
    "lvs_real_server_incoming_packets_total": "virtual_service real_server",
    "lvs_real_server_outgoing_packets_total": "virtual_service real_server",
    "lvs_real_server_incoming_bytes_total": "virtual_service real_server",
    "lvs_real_server_outgoing_bytes_total": "virtual_service real_server",
    "lvs_real_server_active_connections": "virtual_service real_server",
    "lvs_real_server_inactive_connections": "virtual_service real_server",
    "lvs_real_server_persistent_connections": "virtual_service real_server",
    "lvs_real_server_weight": "virtual_service real_server",
    "lvs_real_server_configured_weight": "virtual_service real_server",
    "lvs_real_server_wanted_weight": "virtual_service real_server",
    "lvs_real_server_connection_limit": "virtual_service real_server",
    "lvs_real_server_up": "virtual_service real_server",
    "lvs_real_server_maintenance": "virtual_service real_server",
    "lvs_real_server_transitions_total": "virtual_service real_server to",
    "lvs_real_server_last_transition_timestamp_seconds": "virtual_service real_server",
    "lvs_real_server_check_duration_seconds": "virtual_service real_server",
    "lvs_real_server_check_last_duration_seconds": "virtual_service real_server",
    "lvs_real_server_check_last_timestamp_seconds": "virtual_service real_server",
    "lvs_real_server_check_failures_total": "virtual_service real_server",
    "lvs_real_server_check_certificate_not_after_timestamp_seconds": "virtual_service real_server",
    "lvs_agent_build_info": "version revision pyversion",
    "lvs_agent_active": "",
    "lvs_agent_config_last_reload_successful": "",
    "lvs_agent_config_last_reload_success_timestamp_seconds": "",
    "lvs_agent_config_hash": "",
    "lvs_agent_config_reloads_total": "",
    "lvs_agent_config_reload_failures_total": "",
    "lvs_agent_reconcile_duration_seconds": "",
    "lvs_agent_reconcile_errors_total": "",
    "lvs_agent_reconcile_last_success_timestamp_seconds": "",
    "lvs_agent_reconcile_interval_seconds": "",
    "lvs_agent_drift_repairs_total": "",
    "lvs_agent_ipvs_operations_total": "operation",
    "lvs_agent_ipvs_operation_errors_total": "operation error",
    "lvs_agent_check_errors_total": "reason",
    "lvs_agent_checks_in_flight": "",
    "lvs_agent_checks_pending": "",
    "lvs_agent_check_threads": "",
    "lvs_agent_check_threads_queued": "",
    "lvs_agent_check_thread_oldest_seconds": "",
    "lvs_agent_workers": "state",
    "lvs_agent_worker_restarts_total": "cause",
    "lvs_agent_check_commands": "",
    "lvs_agent_check_commands_queued": "",
    "lvs_agent_check_schedule_delay_seconds": "",
    "lvs_agent_collector_duration_seconds": "collector",
    "lvs_agent_collector_success": "collector",
    "lvs_agent_hidden_entries": "",
    "lvs_agent_sorry_command_calls_total": "virtual_service action outcome",
    "lvs_agent_log_messages_total": "level",
    "lvs_agent_monitor_lines_dropped_total": "",
}
"""Alerts, dashboards and other people's queries rest on these."""


def test_names_and_labels_are_the_promised_ones() -> None:
    """No metric is renamed, lost or given another label by accident."""
    assert {metric.name: " ".join(metric.labels) for metric in METRICS} == NAMES


def test_service_counters_and_connections_come_from_the_kernel() -> None:
    """Counters are the service's own, connections the sum over its servers."""
    web = virtual_service(real_servers=[real_server(), real_server(address="10.0.0.2")])
    key = web.service.key
    counted = {
        (key, server.key): DestinationStatistics(active_connections=2, inactive_connections=3, persistent_connections=4)
        for server in web.real_servers
    }
    counters = Counters(connections=1, incoming_packets=2, outgoing_packets=3, incoming_bytes=4, outgoing_bytes=2**53)
    found = of(
        snapshot(services=[web]),
        statistics=statistics(table=table_of(web), services={key: counters}, destinations=counted),
    )

    assert found[f"lvs_virtual_service_connections_total{{{WEB}}}"] == 1
    assert found[f"lvs_virtual_service_incoming_packets_total{{{WEB}}}"] == 2
    assert found[f"lvs_virtual_service_outgoing_packets_total{{{WEB}}}"] == 3
    assert found[f"lvs_virtual_service_incoming_bytes_total{{{WEB}}}"] == 4
    assert found[f"lvs_virtual_service_outgoing_bytes_total{{{WEB}}}"] == 2**53
    assert found[f"lvs_virtual_service_active_connections{{{WEB}}}"] == 4
    assert found[f"lvs_virtual_service_inactive_connections{{{WEB}}}"] == 6
    assert found[f"lvs_virtual_service_persistent_connections{{{WEB}}}"] == 8


def test_server_counters_come_from_the_kernel() -> None:
    """Every attribute of a destination's statistics has its own family."""
    web = virtual_service(real_servers=[real_server(destination=destination(weight=3, upper_threshold=500))])
    counted = DestinationStatistics(
        counters=Counters(connections=1, incoming_packets=2, outgoing_packets=3, incoming_bytes=4, outgoing_bytes=5),
        active_connections=6,
        inactive_connections=7,
        persistent_connections=8,
    )
    keys = (web.service.key, web.real_servers[0].key)
    found = of(snapshot(services=[web]), statistics=statistics(table=table_of(web), destinations={keys: counted}))

    assert found[f"lvs_real_server_connections_total{{{ONE}}}"] == 1
    assert found[f"lvs_real_server_incoming_packets_total{{{ONE}}}"] == 2
    assert found[f"lvs_real_server_outgoing_packets_total{{{ONE}}}"] == 3
    assert found[f"lvs_real_server_incoming_bytes_total{{{ONE}}}"] == 4
    assert found[f"lvs_real_server_outgoing_bytes_total{{{ONE}}}"] == 5
    assert found[f"lvs_real_server_active_connections{{{ONE}}}"] == 6
    assert found[f"lvs_real_server_inactive_connections{{{ONE}}}"] == 7
    assert found[f"lvs_real_server_persistent_connections{{{ONE}}}"] == 8
    assert found[f"lvs_real_server_weight{{{ONE}}}"] == 3
    assert found[f"lvs_real_server_connection_limit{{{ONE}}}"] == 500


def test_weight_of_a_server_that_is_not_in_the_table_is_absent() -> None:
    """A missing row is not a row of weight 0; the service's sum sees it as 0."""
    web = virtual_service()
    found = of(snapshot(services=[web]), statistics=statistics())

    assert named(found, "lvs_real_server_weight") == {}
    assert named(found, "lvs_real_server_connections_total") == {}
    assert found[f"lvs_real_server_configured_weight{{{ONE}}}"] == 1
    assert found[f"lvs_virtual_service_weight{{{WEB}}}"] == 0


def test_info_has_the_labels_of_node_exporter() -> None:
    """Joins with rules made for node_exporter need its six labels letter by letter."""
    web = virtual_service(
        real_servers=[real_server(forwarding=ForwardingMethod.TUNNEL)], sorry_server=destination(address="10.0.0.99")
    )
    found = of(snapshot(services=[web]))

    local = 'local_address="192.0.2.1",local_mark="",local_port="80",proto="TCP"'
    one = f'forward_method="tunnel",{local},real_server="10.0.0.1:80",remote_address="10.0.0.1",remote_port="80"'
    sorry = f'forward_method="direct",{local},real_server="10.0.0.99:80",remote_address="10.0.0.99",remote_port="80"'
    assert set(named(found, "lvs_real_server_info")) == {
        f'{{{one},sorry_server="false",{WEB}}}',
        f'{{{sorry},sorry_server="true",{WEB}}}',
    }


def test_info_of_a_firewall_mark_service() -> None:
    """A mark has no address; the family tells two services of one mark apart."""
    row = service(
        key=fwmark_key(mark=0xABCDEF, family=Family.INET6),
        scheduler="mh",
        scheduler_flags=SchedulerFlag.FLAG_1 | SchedulerFlag.FLAG_3,
        persistence=persistence(netmask=64),
        one_packet=True,
    )
    found = of(snapshot(), statistics=statistics(table=table(service_entry(service=row))))

    labels = (
        'address_family="inet6",flags="persistent,one-packet,mh-fallback,flag-3",local_address="",'
        'local_mark="00ABCDEF",local_port="0",proto="FWM",scheduler="mh",virtual_service="fwm/11259375/inet6"'
    )
    assert set(named(found, "lvs_virtual_service_info")) == {f"{{{labels}}}"}
    assert list(named(found, "lvs_virtual_service_persistence_timeout_seconds").values()) == [600]


def test_services_that_procfs_cannot_tell_apart_are_told_apart() -> None:
    """One mark in both address families, and one address and port over TCP, UDP and SCTP: each has its own figures."""
    marks = [fwmark_key(mark=5, family=family) for family in Family]
    ports = [service_key(protocol=protocol) for protocol in ("tcp", "udp", "sctp")]
    keys: list[ServiceKey] = [*marks, *ports]
    entries = [
        service_entry(service=service(key=key), destinations=[destination(weight=number)])
        for number, key in enumerate(keys, start=1)
    ]
    found = of(snapshot(), statistics=statistics(table=table(*entries)))

    names = ("fwm/5/inet", "fwm/5/inet6", "tcp/192.0.2.1:80", "udp/192.0.2.1:80", "sctp/192.0.2.1:80")
    assert named(found, "lvs_real_server_weight") == {
        f'{{real_server="10.0.0.1:80",virtual_service="{name}"}}': number for number, name in enumerate(names, start=1)
    }
    infos = named(found, "lvs_virtual_service_info")
    assert [f'virtual_service="{name}"' in info for name, info in zip(names, infos, strict=True)] == [True] * 5
    assert [info.partition('proto="')[2].partition('"')[0] for info in infos] == ["FWM", "FWM", "TCP", "UDP", "SCTP"]


def test_foreign_service_is_exported_in_full_but_has_no_state() -> None:
    """Somebody else's service has its key as a name, all of the kernel's figures, and none of ours."""
    other = service_entry(service=service(), destinations=[destination(weight=7)])
    found = of(snapshot(), statistics=statistics(table=table(other)))

    name = 'virtual_service="tcp/192.0.2.1:80"'
    assert found[f"lvs_virtual_service_weight{{{name}}}"] == 7
    assert found[f'lvs_real_server_weight{{real_server="10.0.0.1:80",{name}}}'] == 7
    assert found[f'lvs_real_server_connections_total{{real_server="10.0.0.1:80",{name}}}'] == 0
    kernel = {
        metric.name
        for metric in METRICS
        if Source.NETLINK in metric.sources and metric.scope in (Scope.SERVICE, Scope.SERVER)
    }
    shown = {series.partition("{")[0] for series in found if name in series}
    assert shown == kernel
    assert {"lvs_virtual_service_info", "lvs_real_server_info", "lvs_real_server_connection_limit"} < kernel


def test_foreign_destination_in_our_service_is_exported() -> None:
    """A row that somebody put into our service can be seen until it is taken out."""
    web = virtual_service()
    rows = [web.real_servers[0].destination, destination(address="10.0.0.77")]
    found = of(
        snapshot(services=[web]),
        statistics=statistics(table=table(service_entry(service=web.service, destinations=rows))),
    )

    assert found[f'lvs_real_server_weight{{real_server="10.0.0.77:80",{WEB}}}'] == 1
    assert found[f"lvs_virtual_service_weight{{{WEB}}}"] == 2
    assert named(found, "lvs_real_server_up") == {f"{{{ONE}}}": 1}


def test_sorry_server_is_no_capacity() -> None:
    """While it serves alone the service has no weight, however heavy its row is."""
    web = virtual_service(sorry_server=destination(address="10.0.0.99", weight=50))
    alone = service_entry(service=web.service, destinations=[destination(address="10.0.0.99", weight=50)])
    found = of(snapshot(services=[web]), statistics=statistics(table=table(alone)))

    assert found[f"lvs_virtual_service_weight{{{WEB}}}"] == 0
    assert named(found, "lvs_real_server_weight") == {f'{{real_server="10.0.0.99:80",{WEB}}}': 50}


def test_entries_of_one_name_give_one_series_and_are_counted() -> None:
    """Of two services and two servers that are called the same, the first ones are exported, and it is said."""
    servers = [
        real_server(name="s", address="10.0.0.2", weight=2),
        real_server(name="s", address="10.0.0.3", weight=3),
    ]
    first = virtual_service(name="web", real_servers=servers)
    second = virtual_service(name="web", service=service(key=service_key(port=81)))
    found = of(snapshot(services=[first, second]))

    assert named(found, "lvs_real_server_configured_weight") == {f'{{real_server="s",{WEB}}}': 2}
    assert found["lvs_agent_hidden_entries"] == 2


def test_what_somebody_else_put_into_the_table_hides_nothing_of_ours() -> None:
    """A service whose configured name is the key of a foreign one, and a server that is called like a foreign row."""
    web = virtual_service(
        name="tcp/192.0.2.1:81", real_servers=[real_server(name="10.0.0.77:80", address="10.0.0.1", weight=5)]
    )
    rows = [web.real_servers[0].destination, destination(address="10.0.0.77", weight=9)]
    kernel = table(
        service_entry(service=web.service, destinations=rows),
        service_entry(service=service(key=service_key(port=81)), destinations=[destination(weight=9)]),
    )
    found = of(snapshot(services=[web]), statistics=statistics(table=kernel))

    assert named(found, "lvs_real_server_weight") == {
        '{real_server="10.0.0.77:80",virtual_service="tcp/192.0.2.1:81"}': 5
    }
    assert named(found, "lvs_virtual_service_weight") == {'{virtual_service="tcp/192.0.2.1:81"}': 5}
    assert found["lvs_agent_hidden_entries"] == 2


def test_states_always_show_all_four() -> None:
    """A state that no server has is 0, so that alerts need no absent()."""
    servers = [real_server(address=f"10.0.0.{number}") for number in (1, 2, 3)]
    web = virtual_service(real_servers=servers)
    healths = dict(zip(servers, (Health.UP, Health.DOWN, Health.UNKNOWN), strict=True))
    found = of(
        snapshot(
            services=[web],
            servers={(web.service.key, one.key): ServerStatus(health) for one, health in healths.items()},
        )
    )

    assert named(found, "lvs_virtual_service_real_servers") == {
        f'{{state="up",{WEB}}}': 1,
        f'{{state="down",{WEB}}}': 1,
        f'{{state="maintenance",{WEB}}}': 0,
        f'{{state="unknown",{WEB}}}': 1,
    }
    assert list(named(found, "lvs_real_server_up").values()) == [1, 0, 0]
    assert set(named(found, "lvs_real_server_maintenance").values()) == {0}


@pytest.mark.parametrize(("quorum", "reached"), [(1, 1), (2, 0)])
def test_quorum(quorum: int, reached: int) -> None:
    """Reached means at least as many servers up as the quorum says."""
    found = of(snapshot(services=[virtual_service(quorum=quorum)]))

    assert found[f"lvs_virtual_service_quorum{{{WEB}}}"] == quorum
    assert found[f"lvs_virtual_service_quorum_up{{{WEB}}}"] == reached


@pytest.mark.parametrize(
    ("membership", "in_table", "active"),
    [
        pytest.param(Membership.POOLED, False, 0, id="up"),
        pytest.param(Membership.POOLED, True, 0, id="not removed yet"),
        pytest.param(Membership.REMOVED, False, 0, id="refused"),
        pytest.param(Membership.REMOVED, True, 1, id="none left"),
    ],
)
def test_sorry_server_is_active_where_it_was_decided_and_is_in_the_table(
    membership: Membership,
    in_table: bool,  # noqa: FBT001 - a table
    active: int,
) -> None:
    """The sorry server is active exactly when the last decision put it into the table, and the kernel has it."""
    web = virtual_service(sorry_server=destination(address="10.0.0.99"))
    pools = {web.service.key: pool(service=web, memberships={"10.0.0.1:80": membership})}
    rows = [web.sorry_server] if in_table and web.sorry_server else []
    left = table(service_entry(service=web.service, destinations=rows))
    found = of(snapshot(services=[web], reconcile=ReconcileStatus(pools=pools, last_table=left)))

    assert found[f"lvs_virtual_service_sorry_server_active{{{WEB}}}"] == active


def test_transitions_are_zero_from_the_start() -> None:
    """increase() cannot see the first sample of a series, so it must be there before anything happens."""
    found = of(snapshot(services=[virtual_service()]))

    assert named(found, "lvs_real_server_transitions_total") == {
        f'{{real_server="10.0.0.1:80",to="{to}",{WEB}}}': 0 for to in ("up", "down")
    }


def test_transitions_and_the_last_one_are_exported() -> None:
    """Changes are counted by direction; the time of the last one is absent while nothing is known."""
    web = virtual_service()
    key = (web.service.key, web.real_servers[0].key)
    found = of(snapshot(services=[web], servers={key: ServerStatus(Health.DOWN, NOW - 5, 2, 3)}))
    unknown = of(snapshot(services=[web], servers={key: ServerStatus()}))

    assert list(named(found, "lvs_real_server_transitions_total").values()) == [2, 3]
    assert found[f"lvs_real_server_last_transition_timestamp_seconds{{{ONE}}}"] == NOW - 5
    assert named(unknown, "lvs_real_server_last_transition_timestamp_seconds") == {}


def test_server_that_is_unknown_again_has_no_last_transition() -> None:
    """After a reload with another check nobody knows what the server is, so there is no time since when."""
    web = virtual_service()
    key = (web.service.key, web.real_servers[0].key)
    found = of(snapshot(services=[web], servers={key: ServerStatus(Health.UNKNOWN, NOW - 5)}))

    assert named(found, "lvs_real_server_last_transition_timestamp_seconds") == {}


@pytest.mark.parametrize(
    ("membership", "wanted"),
    [(Membership.POOLED, 1), (Membership.QUIESCED, 0), (Membership.REMOVED, None)],
)
def test_wanted_weight_is_that_of_the_last_decision(membership: Membership, wanted: int | None) -> None:
    """Beside the kernel weight it shows whether the table is in sync; absent without a desired row."""
    web = virtual_service()
    pools = {web.service.key: pool(service=web, memberships={"10.0.0.1:80": membership})}
    found = of(snapshot(services=[web], reconcile=ReconcileStatus(pools=pools)))

    assert found.get(f"lvs_real_server_wanted_weight{{{ONE}}}") == wanted


def test_sorry_command_calls_are_zero_from_the_start() -> None:
    """Every way in which a call can end is there before the first call, but only where there is a command."""
    command = SorryCommand(command=("/bin/true",))
    web, other = (
        virtual_service(sorry_command=command),
        virtual_service(name="other", service=service(key=fwmark_key())),
    )
    calls = {(web.service.key, SorryAction.START, SorryOutcome.TIMEOUT): 2}
    seen = replace(snapshot(services=[web, other]), sorry_calls=calls)
    found = named(of(seen), "lvs_agent_sorry_command_calls_total")

    assert found == {
        f'{{action="{action.value}",outcome="{outcome.value}",{WEB}}}': 2
        * (action is SorryAction.START and outcome is SorryOutcome.TIMEOUT)
        for action in SorryAction
        for outcome in SorryOutcome
    }


def checked_snapshot() -> Snapshot:
    """A server with two checks: one fails now and then, one has its certificate seen."""
    web = virtual_service(real_servers=[real_server(checks=["a", "b"])])
    return snapshot(
        services=[web],
        specs=[
            check_spec(name="a", interval_s=5, down_interval_s=1, timeout_s=2),
            check_spec(name="b", kind="https", interval_s=10, timeout_s=4),
        ],
        checks={
            CheckId("a"): check_status(
                last=report(ended_at=NOW - 3, duration_s=0.2),
                failures={FailureReason.REFUSED: 2, FailureReason.STATUS: 1},
                errors={ErrorReason.NO_ROUTE: 4},
                durations=Histogram.empty(CHECK_BOUNDS).with_values([0.2, 0.001, 20]),
            ),
            CheckId("b"): check_status(
                last=report(ended_at=NOW - 1, duration_s=0.3, result=Passed(certificate_not_after=NOW + 86_400)),
                errors={ErrorReason.NO_ROUTE: 1},
                durations=Histogram.empty(CHECK_BOUNDS).with_values([0.3]),
            ),
        },
    )


def test_check_metrics_of_a_server_cover_all_its_checks() -> None:
    """Sums over the checks, the newest duration, the oldest end (a stalled check must show)."""
    found = of(checked_snapshot())

    assert found[f"lvs_real_server_check_duration_seconds_count{{{ONE}}}"] == 4
    assert found[f"lvs_real_server_check_duration_seconds_sum{{{ONE}}}"] == pytest.approx(20.501)
    assert found[f"lvs_real_server_check_last_duration_seconds{{{ONE}}}"] == 0.3
    assert found[f"lvs_real_server_check_last_timestamp_seconds{{{ONE}}}"] == NOW - 3
    assert found[f"lvs_real_server_check_failures_total{{{ONE}}}"] == 3
    assert found[f"lvs_real_server_check_certificate_not_after_timestamp_seconds{{{ONE}}}"] == NOW + 86_400


@pytest.mark.parametrize(
    ("is_final", "end"), [((True, False), NOW - 1), ((False, True), NOW - 3), ((True, True), None)]
)
def test_check_whose_result_cannot_change_does_not_grow_old(is_final: tuple[bool, bool], end: float | None) -> None:
    """It runs no more, and no alert for stalled checks may count its age."""
    shown = checked_snapshot()
    checks = {
        check: replace(status, last=status.last and status.last._replace(is_final=final))
        for (check, status), final in zip(shown.checks.items(), is_final, strict=True)
    }

    found = of(replace(shown, checks=checks))

    assert found.get(f"lvs_real_server_check_last_timestamp_seconds{{{ONE}}}") == end
    assert found[f"lvs_real_server_check_last_duration_seconds{{{ONE}}}"] == 0.3


def test_check_metrics_of_a_service_are_by_kind() -> None:
    """Durations and failures by kind of check; the longest interval and time limit."""
    found = of(checked_snapshot())
    seen = {("http", FailureReason.REFUSED): 2, ("http", FailureReason.STATUS): 1}

    assert named(found, "lvs_virtual_service_check_failures_total") == {
        f'{{check="{kind}",reason="{reason.value}",{WEB}}}': seen.get((kind, reason), 0)
        for kind in ("http", "https")
        for reason in FailureReason
    }
    buckets = named(found, "lvs_virtual_service_check_duration_seconds_bucket")
    assert buckets[f'{{check="http",le="0.001",{WEB}}}'] == 1
    assert buckets[f'{{check="http",le="0.25",{WEB}}}'] == 2
    assert buckets[f'{{check="http",le="10.0",{WEB}}}'] == 2
    assert buckets[f'{{check="http",le="+Inf",{WEB}}}'] == 3
    assert buckets[f'{{check="https",le="+Inf",{WEB}}}'] == 1
    assert found[f"lvs_virtual_service_check_interval_seconds{{{WEB}}}"] == 10
    assert found[f"lvs_virtual_service_check_timeout_seconds{{{WEB}}}"] == 4


def test_our_own_faults_are_counted_apart() -> None:
    """Errors of ours are no failures of a server; every reason is there from the start."""
    errors = named(of(checked_snapshot()), "lvs_agent_check_errors_total")

    assert errors == {f'{{reason="{reason.value}"}}': 5 * (reason is ErrorReason.NO_ROUTE) for reason in ErrorReason}


@pytest.mark.parametrize(
    "result",
    [Passed(), Failed(FailureReason.TLS), Errored(ErrorReason.BUSY)],
    ids=["no TLS", "failed before the handshake", "our own fault"],
)
def test_certificate_expiry_is_absent_where_it_is_not_known(result: Passed | Failed | Errored) -> None:
    """An unknown expiry must not look like one in 1970."""
    seen = snapshot(services=[virtual_service()], checks={CheckId("check"): check_status(last=report(result=result))})

    assert named(of(seen), "lvs_real_server_check_certificate_not_after_timestamp_seconds") == {}


def test_drift_is_by_service_and_kind() -> None:
    """All three kinds are there for every configured service, zeros included."""
    web = virtual_service()
    drift = (Drift(DriftKind.MISSING, web.service.key), Drift(DriftKind.MISSING, web.service.key))
    found = of(snapshot(services=[web], reconcile=ReconcileStatus(drift=drift, drift_repairs=9)))

    assert named(found, "lvs_virtual_service_drift_entries") == {
        f'{{kind="missing",{WEB}}}': 2,
        f'{{kind="unexpected",{WEB}}}': 0,
        f'{{kind="modified",{WEB}}}': 0,
    }
    assert found["lvs_agent_drift_repairs_total"] == 9


def test_agent_metrics() -> None:
    """Reconcile loop, engine, configuration and log, each from its part of the snapshot."""
    reconcile = ReconcileStatus(
        errors=2,
        last_success_at=NOW,
        durations=Histogram((1.0,), (3, 1), 7.5),
        operations={"add_service": 4},
        operation_errors={("add_service", "EEXIST"): 1},
    )
    seen = snapshot(
        reconcile=reconcile,
        engine=EngineStatus(
            load=Load(
                in_flight=3,
                pending=4,
                threads=5,
                threads_queued=6,
                thread_oldest_s=0.25,
                commands=7,
                commands_queued=8,
            ),
            delays=Histogram((0.1,), (5, 0), 0.25),
        ),
        config=config_status(
            reloads=6, reload_failures=1, last_reload_successful=False, common_digest="ffffffffffff00"
        ),
        writes=False,
        log_messages={"warning": 8},
        monitor_lines_dropped=9,
    )
    found = of(seen)

    assert found["lvs_agent_active"] == 0
    assert found["lvs_agent_config_last_reload_successful"] == 0
    assert found["lvs_agent_config_last_reload_success_timestamp_seconds"] == NOW - 60
    assert found["lvs_agent_config_reloads_total"] == 6
    assert found["lvs_agent_config_reload_failures_total"] == 1
    assert found["lvs_agent_config_hash"] == 0xFFFFFFFFFFFF
    assert found["lvs_agent_reconcile_errors_total"] == 2
    assert found["lvs_agent_reconcile_last_success_timestamp_seconds"] == NOW
    assert found["lvs_agent_reconcile_interval_seconds"] == 10
    assert found['lvs_agent_reconcile_duration_seconds_bucket{le="1.0"}'] == 3
    assert found["lvs_agent_reconcile_duration_seconds_count"] == 4
    assert found["lvs_agent_reconcile_duration_seconds_sum"] == 7.5
    assert found['lvs_agent_ipvs_operations_total{operation="add_service"}'] == 4
    assert found['lvs_agent_ipvs_operations_total{operation="delete_destination"}'] == 0
    assert found['lvs_agent_ipvs_operation_errors_total{error="EEXIST",operation="add_service"}'] == 1
    assert found["lvs_agent_checks_in_flight"] == 3
    assert found["lvs_agent_checks_pending"] == 4
    assert found["lvs_agent_check_threads"] == 5
    assert found["lvs_agent_check_threads_queued"] == 6
    assert found["lvs_agent_check_thread_oldest_seconds"] == 0.25
    assert found["lvs_agent_check_commands"] == 7
    assert found["lvs_agent_check_commands_queued"] == 8
    assert found['lvs_agent_check_schedule_delay_seconds_bucket{le="0.1"}'] == 5
    assert found['lvs_agent_log_messages_total{level="warning"}'] == 8
    assert found['lvs_agent_log_messages_total{level="error"}'] == 0
    assert found["lvs_agent_monitor_lines_dropped_total"] == 9


def test_kernel_metrics() -> None:
    """What the kernel tells about itself; what it does not tell is absent."""
    info = KernelInfo(
        version="1.2.1",
        connection_table_size=4096,
        totals=Counters(connections=10, outgoing_bytes=20),
        sysctls={"expire_nodest_conn": 1},
        sync_daemons=(SyncDaemon(role="master", interface="eth0"),) * 2,
    )
    found = of(snapshot(), info=info)

    assert found['lvs_ipvs_info{version="1.2.1"}'] == 1
    assert found["lvs_connection_table_buckets"] == 4096
    assert found["lvs_connections_total"] == 10
    assert found["lvs_outgoing_bytes_total"] == 20
    assert found['lvs_sysctl{name="expire_nodest_conn"}'] == 1
    assert found['lvs_sync_daemon_up{interface="eth0",role="master"}'] == 1
    silent = of(snapshot(), info=KernelInfo())
    assert not {"lvs_connections_total", "lvs_connection_table_buckets"} & set(silent)


def test_source_that_failed_says_so_and_leaves_the_rest() -> None:
    """Without the kernel's statistics everything that the agent itself knows is still there."""
    sources = {
        Source.STATE: SourceRun(success=True, duration_s=0.001),
        Source.NETLINK: SourceRun(success=False, duration_s=9.5),
    }
    found = of(snapshot(services=[virtual_service()]), sources=sources)

    assert found['lvs_agent_collector_success{collector="netlink"}'] == 0
    assert found['lvs_agent_collector_duration_seconds{collector="netlink"}'] == 9.5
    assert found['lvs_agent_collector_success{collector="state"}'] == 1
    assert found[f"lvs_real_server_up{{{ONE}}}"] == 1
    assert named(found, "lvs_virtual_service_weight") == {}
    assert len(named(found, "lvs_virtual_service_info")) == 1


def test_removed_server_leaves_no_series() -> None:
    """What neither the configuration nor the kernel has any more is gone from the next scrape on."""
    web = virtual_service(real_servers=[real_server(), real_server(address="10.0.0.2")])
    exposition = Exposition()
    seen = snapshot(services=[web])
    before = exposition.render(Reading(snapshot=seen), accept="").body
    gone = replace(web, real_servers=web.real_servers[:1])
    after = exposition.render(Reading(snapshot=snapshot(services=[gone]), statistics=statistics()), accept="").body

    assert b"10.0.0.2" in before
    assert b"10.0.0.2" not in after


def test_sorry_server_that_is_a_real_server_is_one_entry() -> None:
    """Its series are those of the real server, and its info says that it is the sorry server too."""
    web = virtual_service(sorry_server=destination())
    found = of(snapshot(services=[web]), statistics=statistics(table=table_of(web)))

    assert len(named(found, "lvs_real_server_weight")) == 1
    assert ['sorry_server="true"' in labels for labels in named(found, "lvs_real_server_info")] == [True]


def test_nothing_configured_and_an_empty_table_is_no_error() -> None:
    """A plain exporter on a host without services has the agent's own metrics."""
    found = of(snapshot(), statistics=statistics(table=Table()), info=KernelInfo())

    assert named(found, "lvs_virtual_service_info") == {}
    assert found["lvs_agent_active"] == 1

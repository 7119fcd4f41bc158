"""Panels of the virtual service dashboard about its checks."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from grafana import queries
from grafana.limits import CERTIFICATE, CHECK_TIME, TRANSITIONS
from grafana.panels import Query, graph
from grafana.queries import BY_AGENT, BY_SERVICE, or_zero, rate, server, service, summed

_LEGEND = "{{real_server}} on {{instance}}"


def durations() -> list[Panel]:
    """Panels about the duration of checks."""
    buckets = service("lvs_virtual_service_check_duration_seconds_bucket")
    by = f"{BY_SERVICE}, check"
    timeout = service("lvs_virtual_service_check_timeout_seconds")
    return [
        graph(
            "Check duration",
            "Median and 99th percentile, by type of check. If they rise towards the timeout, checks will fail soon.",
            Query(expr=queries.quantile(0.5, buckets, by), legend="median of {{check}} on {{instance}}"),
            Query(expr=queries.quantile(0.99, buckets, by), legend="99 % of {{check}} on {{instance}}"),
            Query(expr=timeout, legend="timeout on {{instance}}"),
            unit="s",
        ),
        graph(
            "Average check duration as a share of the timeout",
            "By real server. Above the line, an alert fires: with a little more load, the checks fail.",
            Query(
                expr=f"({queries.average_check()}) / on (job, instance, virtual_service) group_left () {timeout}",
                legend=_LEGEND,
            ),
            unit="percentunit",
            limit=CHECK_TIME,
        ),
    ]


def failures() -> list[Panel]:
    """Panels about the results of checks."""
    by_reason = summed(rate(service("lvs_virtual_service_check_failures_total")), f"{BY_SERVICE}, check, reason")
    known = f'label_replace({service("lvs_virtual_service_quorum")}, "reason", "any reason", "", "")'
    return [
        graph(
            "Failed checks by reason",
            "Failures per second, by reason. Timeouts point to load or the network, refused connections to a program "
            "that is not running, status and content to the application.",
            Query(
                expr=or_zero(by_reason, known, f"{BY_AGENT}, virtual_service"),
                legend="{{check}} {{reason}} on {{instance}}",
            ),
            unit="ops",
        ),
        graph(
            "Failed checks by real server",
            "Failures per second. If one server fails, look at that server. If all fail at once, look at the network "
            "between the director and the servers.",
            Query(expr=rate(server("lvs_real_server_check_failures_total")), legend=_LEGEND),
            unit="ops",
        ),
        graph(
            "Health changes of real servers",
            "Changes between up and down in 15 minutes. Above the line, the alert for flapping fires.",
            Query(expr=queries.changes(), legend=_LEGEND),
            limit=TRANSITIONS,
        ),
        graph(
            "Certificate validity",
            "Time until the certificates of the servers expire, from checks that use TLS. Below the line, an alert "
            "fires.",
            Query(
                expr=f"{server('lvs_real_server_check_certificate_not_after_timestamp_seconds')} - time()",
                legend=_LEGEND,
            ),
            unit="s",
            limit=CERTIFICATE,
        ),
    ]

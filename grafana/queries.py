"""PromQL: the parts of expressions.

All selectors use the dashboard's variables, so a changed variable changes every panel.
"""

from __future__ import annotations

ACTIVE = "lvs_agent_active"
BY_AGENT = "job, instance"
BY_SERVICE = f"{BY_AGENT}, virtual_service"
BY_SERVER = f"{BY_SERVICE}, real_server"

_AGENT = 'job=~"$job", instance=~"$instance"'
_SERVICE = f'{_AGENT}, virtual_service=~"$virtual_service"'
_SERVER = f'{_SERVICE}, real_server=~"$real_server"'


def agent(metric: str, *matchers: str) -> str:
    """The series of the chosen agents."""
    return _select(metric, _AGENT, *matchers)


def service(metric: str, *matchers: str) -> str:
    """The series of the chosen virtual services."""
    return _select(metric, _SERVICE, *matchers)


def server(metric: str, *matchers: str) -> str:
    """The series of the chosen real servers."""
    return _select(metric, _SERVER, *matchers)


def rate(selector: str) -> str:
    """The increase of a counter per second."""
    return f"rate({selector}[$__rate_interval])"


def summed(expression: str, by: str) -> str:
    """The sum for each combination of the labels ``by``, so that all results have the same labels."""
    return f"sum by ({by}) ({expression})"


def quantile(share: float, buckets: str, by: str) -> str:
    """The quantile ``share`` (0 to 1) of a histogram; ``buckets`` selects its ``_bucket`` series."""
    return f"histogram_quantile({share:g}, {summed(rate(buckets), f'le, {by}')})"


def or_zero(expression: str, known: str, by: str) -> str:
    """The expression, and 0 for each series of ``known`` without a value, so that no panel shows "no data"."""
    return f"{expression} or on ({by}) 0 * {known}"


def _select(metric: str, *matchers: str) -> str:
    return f"{metric}{{{', '.join(matchers)}}}"


_SERVERS = "lvs_virtual_service_real_servers"


def servers_in(*states: str) -> str:
    """The real servers of each service in one of these states."""
    words = "|".join(states)
    chosen = service(_SERVERS, f'state=~"{words}"')
    return f"sum without (state) ({chosen})"


def is_down() -> str:
    """1 for a service that has real servers and all of them are down or in maintenance, else 0."""
    return f"({servers_in('up', 'unknown')} == bool 0) * (sum without (state) ({service(_SERVERS)}) > bool 0)"


def is_below_quorum() -> str:
    """1 for a service with fewer real servers up than its quorum, else 0; always 0 for a service without checks."""
    quorum, interval = (service(f"lvs_virtual_service_{word}") for word in ("quorum", "check_interval_seconds"))
    return f"({servers_in('up')} < bool {quorum} and {interval} or 0 * {quorum})"


def uses_sorry_server() -> str:
    """1 for a service whose sorry server is active, else 0; 0 for an agent that only observes."""
    return f"{service('lvs_virtual_service_sorry_server_active')} * on (job, instance) group_left () {agent(ACTIVE)}"


def service_state() -> str:
    """0 healthy, 1 below its quorum, 2 or 3 without a real server, 4 and more while its sorry server is active."""
    return f"{is_below_quorum()} + 2 * ({is_down()}) + 4 * ({uses_sorry_server()})"


def capacity() -> str:
    """The kernel weight as a share of the configured weight."""
    configured = service("lvs_virtual_service_configured_weight")
    return f"{service('lvs_virtual_service_weight')} / ({configured} > 0)"


def failed_share() -> str:
    """The share of a service's checks that failed; 0 before the first failure."""
    done = summed(rate(service("lvs_virtual_service_check_duration_seconds_count")), BY_SERVICE)
    failed = summed(rate(service("lvs_virtual_service_check_failures_total")), BY_SERVICE)
    return f"({failed} or 0 * {done}) / ({done} > 0)"


def server_state() -> str:
    """0 down, 1 up, 2 or 3 in maintenance, 4 unknown, 6 unknown and in maintenance.

    An unknown server has no time of a last transition.
    """
    state = f"{server('lvs_real_server_up')} + 2 * {server('lvs_real_server_maintenance')}"
    return f"{state} and {server('lvs_real_server_last_transition_timestamp_seconds')} or {state} + 4"


def worst_of_directors(expression: str) -> str:
    """The sum over services; if directors report different numbers, the highest one counts."""
    return f"sum(max by (job, virtual_service) ({expression}))"


def average_check() -> str:
    """The average duration of the checks of each real server."""
    total, count = (rate(server(f"lvs_real_server_check_duration_seconds_{word}")) for word in ("sum", "count"))
    return f"{total} / ({count} > 0)"


def changes() -> str:
    """The changes of health of each real server in 15 minutes, the range of the alert for flapping."""
    return f"sum without (to) (increase({server('lvs_real_server_transitions_total')}[15m]))"

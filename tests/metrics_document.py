"""docs/metrics.md: every metric with its labels, its source and what it costs.  ``make docs`` (this module's command)
writes it from the table of metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from lvs_agent.config import ServerDetail
from lvs_agent.core.snapshot import CHECK_BOUNDS, DELAY_BOUNDS, ROUND_BOUNDS
from lvs_agent.metrics.metric import Kind, Metric, Scope
from lvs_agent.metrics.selection import LIBRARY, is_shown
from lvs_agent.metrics.table import METRICS

DOCUMENT = Path(__file__).parents[1] / "docs" / "metrics.md"
_BUCKETS = {
    "lvs_virtual_service_check_duration_seconds": CHECK_BOUNDS,
    "lvs_agent_check_schedule_delay_seconds": DELAY_BOUNDS,
    "lvs_agent_reconcile_duration_seconds": ROUND_BOUNDS,
}
_OF_SERVERS = (
    "One of each for each real server, sorry server, and destination that nobody configured; `metrics.real_servers` "
    "says which metrics there are of them."
)
_SECTIONS = {
    Scope.SERVICE: ("Virtual services", "One of each for each virtual service, whoever made it."),
    Scope.SERVER: ("Real servers", _OF_SERVERS),
    Scope.HOST: ("The host, and the agent", "One of each, whatever is configured."),
}
_SETTINGS = {
    ServerDetail.FULL: "everything",
    ServerDetail.STATE: "only what says whether a real server is in service",
    ServerDetail.OFF: "nothing of single real servers",
}
_SOURCES = {
    "state": "what the agent itself knows, its configuration, and the process; always answers at once",
    "netlink": "the kernel's table with its counters, read with each scrape",
    "proc": "facts about IPVS as a whole, from `/proc` and the kernel's own information",
}
_INTRODUCTION = """\
# Metrics

What `/metrics` shows. This file is generated from the table of metrics (`make docs`).

A scrape reads the kernel at that moment; whoever asks within a second after somebody else gets the same answer. Where a
source does not answer, its metrics are absent, `lvs_agent_collector_success` is 0, and the rest of the page is there.
Counters of a row in the kernel begin at 0 when the row is made anew. Names are those of the text format; OpenMetrics
calls families without `_total` and `_info`.
"""
_FILTERS = """\
## What a client may ask for

| parameter | shows |
|---|---|
| `collect[]=netlink` | what comes from this source; the others are not asked |
| `name[]=lvs_real_server_up` | the metric of this name, with or without what its type adds, such as `_total` |

Both may be given several times, and together. A word that means nothing is answered with 400 and all words that do. In
Prometheus: `params: {"collect[]": [state, netlink]}`.

## What the configuration leaves out

`[metrics]` in the configuration, in force with the next scrape after a reload: `real_servers` is `"full"`, `"state"` or
`"off"`, and `drop` names single metrics (also of the Python process). Services keep their sums of connections and
weights, and their counts of real servers by state, whatever is left out.
"""
_COST = """\
## How many series there are

A page has as many series as there are real servers times the first number, virtual services times the second, and the
third. Rows in the kernel that nobody configured have fewer: what only the agent knows is absent.
"""
_RENAMED = """\
## Renamed

| old name | new name | since |
|---|---|---|
| `lvs_virtual_service_fallback_active` | `lvs_virtual_service_sorry_server_active` | 0.1.0 |
| `lvs_real_server_info`, label `fallback` | `lvs_real_server_info`, label `sorry_server` | 0.1.0 |
"""
_NOTES = """\
Counted with one kind of check in each service; each further kind in a service costs {by_kind} more. Of a real server,
one is there only where its check has seen a certificate. A sorry server counts as a real server, with fewer series. A
service with a sorry command has {sorry} more. Each error with which the kernel has refused a change adds one.
"""


def document() -> str:
    """The whole file."""
    parts = [_INTRODUCTION, _FILTERS, _COST, _costs(), _notes(), _sources()]
    parts += [_section(scope) for scope in _SECTIONS]
    parts += [_library(), _RENAMED]
    return "\n".join(parts)


def series_of(metric: Metric) -> int:
    """The most series that ``metric`` has for one of what it is about: a service with one kind of check, a server."""
    match metric.kind:
        case Kind.HISTOGRAM:
            return metric.variants * (len(_BUCKETS[metric.name]) + 3)
        case Kind.SUMMARY:
            return metric.variants * 2
        case _:
            return metric.variants


def cost(scope: Scope, detail: ServerDetail) -> int:
    """The series that one more virtual service or real server costs."""
    return sum(series_of(metric) for metric in METRICS if metric.scope is scope and is_shown(metric, detail))


def fixed_cost() -> int:
    """The series that there are whatever is configured, but for what differs from kernel to kernel."""
    later = sum(series_of(metric) for metric in METRICS if metric.name in _NOT_FROM_THE_START)
    return cost(Scope.HOST, ServerDetail.FULL) - later + len(LIBRARY) + _MORE_OF_LIBRARY


_NOT_FROM_THE_START = ("lvs_agent_sorry_command_calls_total", "lvs_agent_ipvs_operation_errors_total")


def _costs() -> str:
    rows = [
        (f'`"{detail.value}"`', said, str(cost(Scope.SERVER, detail)), str(cost(Scope.SERVICE, detail)))
        for detail, said in _SETTINGS.items()
    ]
    return _table(
        ("`real_servers`", "shows", "for each real server", "for each virtual service", "in any case, about"),
        ((*row, str(fixed_cost())) for row in rows),
    )


_MORE_OF_LIBRARY = 6
"""Three of the library's families have one series for each of three generations."""


def _notes() -> str:
    by_kind = sum(series_of(metric) for metric in METRICS if "check" in metric.labels)
    (sorry,) = (metric for metric in METRICS if metric.name == "lvs_agent_sorry_command_calls_total")
    return _NOTES.format(by_kind=by_kind, sorry=sorry.variants)


def _sources() -> str:
    return "## Where they come from\n\n" + _table(("source", "is"), _SOURCES.items())


def _section(scope: Scope) -> str:
    title, text = _SECTIONS[scope]
    metrics = [metric for metric in METRICS if metric.scope is scope]
    own = "labels" if scope is Scope.HOST else "further labels"
    settings = ("with `state`",) if scope is Scope.SERVER else ()
    heads: tuple[str, ...] = ("metric", "type", own, "meaning", "source", *settings, "series")
    rows = [_row(metric, tuple("yes" if metric.vital else "" for _ in settings)) for metric in metrics]
    labels = {Scope.SERVICE: " Label: `virtual_service`.", Scope.SERVER: " Labels: `virtual_service`, `real_server`."}
    return f"## {title}\n\n{text}{labels.get(scope, '')}\n\n" + _table(heads, rows)


def _row(metric: Metric, settings: tuple[str, ...]) -> tuple[str, ...]:
    own = [label for label in metric.labels if metric.scope is Scope.HOST or label not in _IDENTITY]
    sources = "all" if metric.last else ", ".join(source.value for source in metric.sources)
    labels = ", ".join(f"`{label}`" for label in own)
    return (f"`{metric.name}`", metric.kind.value, labels, metric.help, sources, *settings, str(series_of(metric)))


_IDENTITY = ("virtual_service", "real_server")


def _library() -> str:
    names = ", ".join(f"`{name}`" for name in LIBRARY)
    return f"## The Python process\n\nFrom prometheus_client, with the source `state`: {names}.\n"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(_lines(heads, rows)) + "\n"


def _lines(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")

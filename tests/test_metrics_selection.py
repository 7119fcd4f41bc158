"""Which metrics are shown, and what is said to who names one that there is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.config import MetricsSettings, ServerDetail, parse_config
from lvs_agent.metrics.config_warnings import with_metric_warnings
from lvs_agent.metrics.exposition import library_families
from lvs_agent.metrics.metric import Metric, Scope
from lvs_agent.metrics.selection import (
    EVERYTHING,
    LIBRARY,
    Filters,
    UnknownFilter,
    parse_filters,
    select,
)
from lvs_agent.metrics.table import METRICS

NAMES = [metric.name for metric in METRICS]


def shown(settings: MetricsSettings) -> set[str]:
    """What there is under ``settings`` for who asks for everything."""
    selection = select(settings, Filters())
    return {metric.name for metric in selection.metrics} | selection.library


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("lvs_real_server_up", "lvs_real_server_up"),
        ("lvs_real_server_transitions_total", "lvs_real_server_transitions_total"),
        ("lvs_real_server_transitions", "lvs_real_server_transitions_total"),
        ("lvs_ipvs", "lvs_ipvs_info"),
        ("lvs_ipvs_info", "lvs_ipvs_info"),
        ("lvs_agent_reconcile_duration_seconds_bucket", "lvs_agent_reconcile_duration_seconds"),
        ("lvs_real_server_check_duration_seconds_sum", "lvs_real_server_check_duration_seconds"),
        ("process_cpu_seconds", "process_cpu_seconds_total"),
        ("process_cpu_seconds_total", "process_cpu_seconds_total"),
        ("python_info", "python_info"),
    ],
)
def test_families_are_found_and_dropped_by_all_their_names(word: str, name: str) -> None:
    """With and without what the format adds, ours and the library's."""
    filters = parse_filters([("name[]", word)])
    found = select(MetricsSettings(), filters)

    assert [*(metric.name for metric in found.metrics), *found.library] == [name]
    assert shown(MetricsSettings(drop=frozenset({word}))) == {*NAMES, *LIBRARY} - {name}


@pytest.mark.parametrize(
    ("key", "word", "said"),
    [
        pytest.param("collect[]", "netlnk", "did you mean netlink?; known are: state, netlink, proc", id="source"),
        pytest.param("collect[]", "", "is not known; known are: state, netlink, proc", id="no source"),
        pytest.param("name[]", "lvs_real_server_upp", "did you mean lvs_real_server_up?; known are: lvs", id="name"),
        pytest.param("name[]", "x" * 10_000, "name[] is not known; known are: lvs_virtual_service_info, ", id="long"),
    ],
)
def test_unknown_filter_says_what_would_have_been_right(key: str, word: str, said: str) -> None:
    """The nearest word, and all of them; what was sent is not repeated."""
    with pytest.raises(UnknownFilter) as caught:
        parse_filters([(key, word)])

    assert said in str(caught.value)
    assert len(str(caught.value)) < 10_000


@given(st.lists(st.tuples(st.sampled_from(["collect[]", "name[]", "other"]), st.text(max_size=50)), max_size=3))
def test_whatever_is_asked_is_known_or_refused(parameters: list[tuple[str, str]]) -> None:
    """No text of a client raises anything else."""
    try:
        filters = parse_filters(parameters)
    except UnknownFilter:
        return
    assert filters == Filters() or any(key != "other" for key, _ in parameters)


def test_everything_is_everything() -> None:
    """Without settings and filters the whole table is shown, in its order, and every source is asked."""
    assert [metric.name for metric in EVERYTHING.metrics] == NAMES
    assert len(EVERYTHING.sources) == 3


def test_library_families_are_the_ones_that_the_library_has() -> None:
    """Filters and the list of what can be dropped rest on names that another project chooses."""
    assert {name for name in library_families() if EVERYTHING.shows_library(name)} == set(library_families())
    assert set(library_families()) == {name.removesuffix("_total") for name in LIBRARY}


def test_details_of_real_servers_can_be_left_out_in_steps() -> None:
    """Each setting shows a part of what the one before it shows; what is not about real servers is always there."""
    full, state, off = (shown(MetricsSettings(real_servers=detail)) for detail in ServerDetail)

    assert off < state < full
    assert full - off == {metric.name for metric in METRICS if metric.scope is Scope.SERVER}
    assert {metric.name for metric in METRICS if metric.vital} == state - off


def is_of_real_servers(metric: Metric) -> bool:
    """Whether the labels of a metric name a real server."""
    return "real_server" in metric.labels


def test_scope_of_a_metric_is_that_of_its_labels() -> None:
    """What is said of the cost of a metric rests on it."""
    scopes = {
        metric.name: Scope.SERVER
        if is_of_real_servers(metric)
        else Scope.SERVICE
        if metric.name.startswith("lvs_virtual_service_")
        else Scope.HOST
        for metric in METRICS
    }

    assert {metric.name: metric.scope for metric in METRICS} == scopes


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lvs_real_server_conections", "no metric is called 'lvs_real_server_conections'; did you mean "),
        ("nothing_like_it", "no metric is called 'nothing_like_it'"),
    ],
)
def test_dropping_what_is_not_there_is_a_warning(name: str, said: str) -> None:
    """A name that no metric has drops nothing; the warning names the nearest one."""
    text = f'[metrics]\ndrop = ["lvs_sysctl", "process_open_fds", "lvs_ipvs", "{name}"]\n'
    config = with_metric_warnings(parse_config(text, base=Path("/etc")))
    (warning,) = config.warnings

    assert (warning.path, warning.text[: len(said)]) == ("metrics.drop", said)
    assert ("did you mean" in warning.text) is ("did you mean" in said)

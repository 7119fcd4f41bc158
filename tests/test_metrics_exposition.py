"""The text of a scrape: formats, escaping, and what the tools of the field say to it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from lvs_agent.metrics.exposition import METRICS, Exposition
from lvs_agent.metrics.reading import Reading, Source, SourceRun, counter, gauge
from lvs_agent.metrics.text import write
from lvs_agent.model.check import CheckId, FailureReason, Passed
from lvs_agent.model.statistics import Counters, KernelInfo, SyncDaemon
from tests.builders import (
    NOW,
    check_status,
    destination,
    fwmark_key,
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
from tests.library_metrics import library_text

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3"


LABEL = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def full_reading(name: str = "web") -> Reading:
    """A reading that gives every metric of the table at least one series."""
    web = virtual_service(name=name, sorry_server=destination(address="10.0.0.99"))
    foreign = service_entry(service=service(key=fwmark_key()), destinations=[destination(port=0)])
    checked = check_status(last=report(result=Passed(certificate_not_after=NOW)), failures={FailureReason.REFUSED: 1})
    seen = snapshot(services=[web], checks={CheckId("check"): checked})
    return Reading(
        snapshot=seen,
        statistics=statistics(
            table=table(service_entry(service=web.service, destinations=[web.real_servers[0].destination]), foreign)
        ),
        info=KernelInfo(
            version="1.2.1",
            connection_table_size=4096,
            totals=Counters(),
            sysctls={"conntrack": 0},
            sync_daemons=(SyncDaemon(role="backup", interface="eth1"),),
        ),
        sources={source: SourceRun(success=True, duration_s=0.0) for source in Source},
    )


def text_of(reading: Reading, accept: str = "") -> str:
    """The rendered page."""
    return Exposition().render(reading, accept=accept).body.decode()


def samples_of(
    text: str, parse: Callable[[str], Iterable[Family]]
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Our samples in ``text`` by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(text)
        for sample in family.samples
        if sample.name.startswith("lvs_")
    }


def test_promtool_has_nothing_to_say() -> None:
    """Prometheus' own linter accepts every name, type and help text."""
    if shutil.which("promtool") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing: apt-get install prometheus")
        pytest.skip("promtool is missing: apt-get install prometheus (it is part of that package)")
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text_of(full_reading()), text=True, capture_output=True, check=False
    )

    assert (checked.stdout + checked.stderr, checked.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("", "text/plain; version=0.0.4; charset=utf-8", id="nothing said"),
        pytest.param("text/html,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8", id="browser"),
        pytest.param("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8", id="text"),
        pytest.param(
            PROMETHEUS_2,
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            id="Prometheus 2",
        ),
        pytest.param(
            PROMETHEUS_3,
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
            id="Prometheus 3",
        ),
        pytest.param(
            "application/openmetrics-text;version=x", "text/plain; version=0.0.4; charset=utf-8", id="nonsense"
        ),
    ],
)
def test_format_is_negotiated(accept: str, content_type: str) -> None:
    """Each client gets a format that it asked for, and the plain text format if in doubt."""
    assert Exposition().render(full_reading(), accept=accept).content_type == content_type


@given(st.text(max_size=80) | st.from_regex(r"(application/openmetrics-text|text/plain);version=[0-9.a-z]{0,5}.*"))
def test_no_accept_header_is_an_error(accept: str) -> None:
    """Whatever a client sends as Accept, it gets metrics."""
    assert b"lvs_agent_active" in Exposition().render(Reading(snapshot=snapshot()), accept=accept).body


@pytest.mark.parametrize("accept", ["", PROMETHEUS_2, PROMETHEUS_3])
def test_text_says_what_the_library_would_say(accept: str) -> None:
    """Every family with its type and help, and every sample, in the order of prometheus_client's own writer."""
    reading = full_reading()
    parse = parse_openmetrics if accept else parse_text
    ours = [family for family in parse(text_of(reading, accept)) if family.name.startswith("lvs_")]

    assert ours == list(parse(library_text(reading, accept=accept)))
    assert len(ours) == len(METRICS)


@given(
    st.dictionaries(
        st.tuples(LABEL, LABEL),
        st.floats() | st.integers(-(2**53), 2**53) | st.sampled_from([float("inf"), float("-inf"), float("nan")]),
        max_size=5,
    )
)
def test_any_value_and_label_survives(samples: dict[tuple[str, str], float]) -> None:
    """Whatever labels and numbers go in come out of the strict parser."""
    metric = gauge("lvs_test", "A test.", lambda _: samples.items(), labels=("b", "a"))
    text = write((metric,), Reading(snapshot=snapshot()), openmetrics=True) + "# EOF\n"
    (family,) = parse_openmetrics(text)  # type: ignore[no-untyped-call]

    parsed = {(sample.labels["b"], sample.labels["a"]): repr(float(sample.value)) for sample in family.samples}
    assert parsed == {labels: repr(float(value)) for labels, value in samples.items()}


def test_series_that_is_given_twice_is_written_once() -> None:
    """A page with a series twice would be refused as a whole: the last value counts."""
    metric = gauge("lvs_test", "A test.", lambda _: [(("x",), 1), (("y",), 2), (("x",), 3)], labels=("a",))
    text = write((metric,), Reading(snapshot=snapshot()), openmetrics=False)

    assert text.splitlines()[2:] == ['lvs_test{a="x"} 3', 'lvs_test{a="y"} 2']


def test_large_integers_keep_their_last_digit() -> None:
    """A 64-bit counter is written as it is; only who reads it as a float loses digits."""
    metric = counter("lvs_test_total", "A test.", lambda _: [((), 2**63 + 1)])

    assert f"lvs_test_total {2**63 + 1}\n" in write((metric,), Reading(snapshot=snapshot()), openmetrics=False)


@settings(max_examples=25)  # each renders and parses whole pages
@given(LABEL)
@example('quote " backslash \\ newline \n end')
@example("\\n")
@example('"')
@example("naïve 服务 \N{SPARKLES}")
def test_hostile_label_values_survive(name: str) -> None:
    """Any name comes out of both parsers as it went in."""
    reading = Reading(snapshot=snapshot(services=[virtual_service(name=name, real_servers=[real_server(name=name)])]))

    wanted = ("lvs_real_server_up", frozenset({("virtual_service", name), ("real_server", name)}))
    assert samples_of(text_of(reading, PROMETHEUS_2), parse_openmetrics)[wanted] == 1
    if "\r" not in name and len(name.splitlines()) == 1:  # the text parser splits lines where Prometheus does not
        assert samples_of(text_of(reading), parse_text)[wanted] == 1


def test_every_metric_has_a_series() -> None:
    """Nothing in the table is dead; only refusals of the kernel and sorry commands are not there from the start."""
    reading = full_reading()

    assert [metric.name for metric in METRICS if not list(metric.samples(reading))] == [
        "lvs_agent_ipvs_operation_errors_total",
        "lvs_agent_sorry_command_calls_total",
    ]


def test_help_of_every_metric_is_a_sentence() -> None:
    """Help is read by people: it ends like a sentence and has no line break."""
    assert [metric.name for metric in METRICS if not metric.help.endswith(".") or "\n" in metric.help] == []


def test_process_and_python_are_exported() -> None:
    """The usual families of a Python process are there, once."""
    text = text_of(full_reading())

    for name in ("process_resident_memory_bytes", "python_info", "python_gc_collections_total"):
        assert text.count(f"# TYPE {name} ") == 1


def test_one_exposition_renders_many_readings_at_once() -> None:
    """Renderings do not share state: each shows its own reading."""
    exposition = Exposition()
    bodies = [exposition.render(full_reading(name), accept="").body for name in ("first", "second", "first")]

    assert b'virtual_service="first"' in bodies[0]
    assert b'virtual_service="first"' not in bodies[1]
    assert b'virtual_service="first"' in bodies[2]


def test_thousand_servers_stay_within_the_budget_of_series(record_property: Callable[[str, object], None]) -> None:
    """A real server costs at most 24 series; how long the page takes is recorded, not judged."""
    services = [
        virtual_service(
            name=f"web{number}",
            service=service(key=service_key(port=8000 + number)),
            real_servers=[
                real_server(address=f"10.0.{number}.{host}", checks=[f"{number}/{host}"]) for host in range(1, 51)
            ],
        )
        for number in range(20)
    ]
    seen, counted = snapshot(services=services), statistics(table=table_of(*services))
    started = process_time()
    text = text_of(Reading(snapshot=seen, statistics=counted), PROMETHEUS_2)
    record_property("cpu_s", process_time() - started)

    assert sum(line.startswith("lvs_real_server_") for line in text.splitlines()) <= 24 * 1_000

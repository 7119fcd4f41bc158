"""The text of a scrape: formats, escaping, and what the tools of the field say to it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import thread_time

import pytest
import structlog
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from lvs_agent.core.snapshot import Histogram
from lvs_agent.core.sorry_command import SorryAction, SorryOutcome
from lvs_agent.metrics.exposition import Exposition
from lvs_agent.metrics.metric import Column, Kind, Metric, Samples, Summary, counter, listed
from lvs_agent.metrics.reading import Reading, Source, SourceRun
from lvs_agent.metrics.table import METRICS
from lvs_agent.metrics.text import Writer
from lvs_agent.model.check import CheckId, FailureReason, Passed
from lvs_agent.model.ipvs import ServiceKey
from lvs_agent.model.statistics import Counters, KernelInfo, SyncDaemon
from lvs_agent.view.series_index import IndexCache
from tests.builders import (
    NOW,
    check_status,
    destination,
    fwmark_key,
    real_server,
    report,
    service,
    service_entry,
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


SorryKey = tuple[ServiceKey, SorryAction, SorryOutcome]
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


NUMBERS = (
    st.floats()
    | st.integers()
    | st.integers(min_value=2**1_020, max_value=2**1_030)
    | st.sampled_from([float("inf"), float("-inf"), float("nan")])
)
COUNTS = st.lists(st.integers(0, 2**64), min_size=3, max_size=3).map(tuple)
VALUES = {
    Kind.GAUGE: NUMBERS,
    Kind.COUNTER: NUMBERS,
    Kind.INFO: st.just(1),
    Kind.SUMMARY: st.builds(Summary, st.integers(0, 2**64), st.floats()),
    Kind.HISTOGRAM: st.builds(Histogram, st.just((0.005, 2.0)), COUNTS, st.floats()),
}
NAMES = {Kind.COUNTER: "lvs_test_total", Kind.INFO: "lvs_test_info"}


def a_metric(kind: Kind, samples: Samples) -> Metric:
    """A metric of two labels with just these samples."""
    return Metric(
        name=NAMES.get(kind, "lvs_test"),
        kind=kind,
        help="A test.",
        read=listed(lambda _: samples),
        labels=("b", "a"),
    )


def lines_of(document: str) -> list[str]:
    """The lines of a document with their numbers as Python reads them: ``1`` and ``1.0`` are the same."""
    lines = [line.rpartition(" ") for line in document.split("\n")]
    return [line[0] + " " + (line[2] if line[0].startswith("#") else as_float(line[2])) for line in lines]


def as_float(number: str) -> str:
    """``number`` as a float is written; infinite where it is too large for one, as Prometheus reads it."""
    return repr(float(number)) if number else ""


@pytest.mark.parametrize("accept", ["", PROMETHEUS_2, PROMETHEUS_3], ids=["text", "OpenMetrics", "UTF-8"])
@pytest.mark.parametrize("kind", Kind)
@given(st.data())
def test_any_value_and_label_is_written_as_the_library_writes_it(accept: str, kind: Kind, data: st.DataObject) -> None:
    """Whatever labels and numbers there are: the same lines in the same order, but for the form of a number."""
    samples = data.draw(st.dictionaries(st.tuples(LABEL, LABEL), VALUES[kind], max_size=5)).items()
    metric, reading = a_metric(kind, samples), Reading(snapshot=snapshot())
    ours = Writer().family(metric, metric.read(reading), openmetrics=bool(accept)) + ("# EOF\n" if accept else "")

    try:
        expected = library_text(reading, accept=accept, metrics=[metric])
    except OverflowError:  # an integer that does not fit into a float
        return
    assert lines_of(ours) == lines_of(expected)


@given(
    scrapes=st.lists(st.dictionaries(st.tuples(LABEL, LABEL), st.none() | NUMBERS, max_size=5), min_size=2, max_size=4),
    openmetrics=st.booleans(),
)
def test_nothing_is_left_of_what_was_written_before(
    *, scrapes: list[dict[tuple[str, str], float | None]], openmetrics: bool
) -> None:
    """A writer that has written other labels and values before writes what a new one writes."""
    writer, reading = Writer(), Reading(snapshot=snapshot())
    metric = a_metric(Kind.GAUGE, ())
    for samples in scrapes:
        column = Column(list(samples), list(samples.values()))
        written = writer.family(metric, column, openmetrics=openmetrics)
        there = {labels: value for labels, value in samples.items() if value is not None}
        fresh = a_metric(Kind.GAUGE, there.items())

        assert written == Writer().family(fresh, fresh.read(reading), openmetrics=openmetrics)


def test_series_that_is_given_twice_is_written_once() -> None:
    """A page with a series twice would be refused as a whole: the last value counts."""
    metric = a_metric(Kind.GAUGE, ())
    column = Column([("x", ""), ("y", ""), ("x", "")], [1, 2, 3])

    assert Writer().family(metric, column, openmetrics=False).splitlines()[2:] == [
        'lvs_test{a="",b="x"} 3',
        'lvs_test{a="",b="y"} 2',
    ]


@pytest.mark.parametrize("kind", [Kind.SUMMARY, Kind.HISTOGRAM])
def test_distribution_that_is_given_twice_is_written_once(kind: Kind) -> None:
    """The same where a series has several lines."""
    first, last = (Summary(1, 1.0), Summary(2, 2.0)) if kind is Kind.SUMMARY else two_histograms()
    column = Column([("x", ""), ("x", "")], [first, last])
    once = Column([("x", "")], [last])

    assert Writer().family(a_metric(kind, ()), column, openmetrics=True) == Writer().family(
        a_metric(kind, ()), once, openmetrics=True
    )


def two_histograms() -> tuple[Histogram, Histogram]:
    """Two that differ."""
    return Histogram((1.0,), (1, 0), 0.5), Histogram((1.0,), (1, 1), 9.5)


def test_what_is_no_text_becomes_a_question_mark() -> None:
    """A lone surrogate, which no encoding has: the page is sent all the same, each series once."""
    metric = a_metric(Kind.GAUGE, ())
    column = Column([("\udc80", ""), ("\udc81", "")], [1, 2])

    assert Writer().family(metric, column, openmetrics=False).splitlines()[2:] == ['lvs_test{a="",b="?"} 2']


def test_large_integers_keep_their_last_digit() -> None:
    """A 64-bit counter is written as it is; only who reads it as a float loses digits."""
    metric = counter("lvs_test_total", "A test.", listed(lambda _: [((), 2**63 + 1)]))
    column = metric.read(Reading(snapshot=snapshot()))

    assert f"lvs_test_total {2**63 + 1}\n" in Writer().family(metric, column, openmetrics=False)


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
    """Threads that ask at the same time each get their own reading, in the format that they want, and whole."""
    exposition = Exposition()
    names = [f"name{number}" for number in range(12)]

    def render(number: int) -> str:
        accept = PROMETHEUS_2 if number % 2 else ""
        return exposition.render(full_reading(names[number]), accept=accept).body.decode()

    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(render, range(len(names))))

    for number, (name, page) in enumerate(zip(names, pages, strict=True)):
        assert set(re.findall(r'virtual_service="(name\d+)"', page)) == {name}
        assert page.endswith("# EOF\n") is (number % 2 == 1)


def test_ours_is_several_times_as_fast_as_the_library() -> None:
    """The reason to have a writer of our own: a fifteenth of the time, which must not come near the library's."""
    servers = [real_server(address=f"10.0.{number // 250}.{number % 250}") for number in range(500)]
    web = virtual_service(real_servers=servers)
    sources = (snapshot(services=[web]), statistics(table=table_of(web)))
    exposition, indexes = Exposition(), IndexCache()

    def read() -> Reading:
        return Reading(snapshot=sources[0], statistics=sources[1], indexes=indexes)

    ours = least_cpu_s(lambda: exposition.render(read(), accept=PROMETHEUS_2).body)
    assert ours * 3 < least_cpu_s(lambda: library_text(read(), accept=PROMETHEUS_2))


def least_cpu_s(work: Callable[[], object]) -> float:
    """The CPU time that this thread needs for ``work``, at best: what a busy machine adds is never negative."""
    taken = []
    for _ in range(4):
        started = thread_time()
        work()
        taken.append(thread_time() - started)
    return min(taken)


# --- faults ------------------------------------------------------------------------------------------------------


class Broken(Mapping[SorryKey, int]):
    """A part of a snapshot that raises when it is looked at."""

    def __getitem__(self, _: SorryKey) -> int:
        raise RuntimeError("broken")

    def __iter__(self) -> Iterator[SorryKey]:
        raise RuntimeError("broken")

    def __len__(self) -> int:
        raise RuntimeError("broken")


def test_family_that_cannot_be_made_costs_only_itself() -> None:
    """It is left out, its source is said to have failed, and all others are there; it is logged once."""
    whole = full_reading()
    broken = Reading(
        snapshot=replace(whole.snapshot, sorry_calls=Broken()),
        statistics=whole.statistics,
        info=whole.info,
        sources=whole.sources,
    )
    exposition = Exposition()
    with structlog.testing.capture_logs() as logs:
        pages = [exposition.render(broken, accept=PROMETHEUS_2).body.decode() for _ in range(2)]

    for page in pages:
        families = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE lvs_")}
        assert families == {metric.family for metric in METRICS} - {"lvs_agent_sorry_command_calls"}
        assert 'lvs_agent_collector_success{collector="state"} 0\n' in page
        assert 'lvs_agent_collector_success{collector="netlink"} 1\n' in page
    assert [(entry["event"], entry["metric"]) for entry in logs] == [
        ("metric_left_out", "lvs_agent_sorry_command_calls_total")
    ]


def test_rendering_goes_on_after_a_fault() -> None:
    """The next reading that is whole is shown whole, by the same exposition."""
    exposition, whole = Exposition(), full_reading()
    broken = Reading(snapshot=replace(whole.snapshot, sorry_calls=Broken()), sources=whole.sources)
    with structlog.testing.capture_logs():
        exposition.render(broken, accept="")

    assert b'lvs_agent_collector_success{collector="state"} 1\n' in exposition.render(whole, accept="").body


class BrokenPacker:
    """One that fails at its second part."""

    def __init__(self) -> None:
        self.parts = 0

    def add(self, part: bytes) -> None:
        self.parts += 1
        if self.parts == 2:
            raise OSError("broken")

    def finish(self) -> bytes:
        return b""


def test_page_that_fails_half_way_keeps_nobody_waiting() -> None:
    """After a packer that failed, the next page is rendered whole."""
    exposition = Exposition()
    with pytest.raises(OSError, match="broken"):
        exposition.render(full_reading(), accept="", packer=BrokenPacker())

    assert b"lvs_agent_active" in exposition.render(full_reading(), accept="").body


class RecordingPacker:
    """One that keeps its parts."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        self.parts.append(part)

    def finish(self) -> bytes:
        return b"packed"


def test_each_family_is_packed_before_the_next_is_written() -> None:
    """So compression, which runs without the interpreter's lock, lets the checks run between two families."""
    packer = RecordingPacker()
    page = Exposition().render(full_reading(), accept="", packer=packer)
    of_library = packer.parts.pop()

    assert [part.count(b"# TYPE lvs_") for part in packer.parts] == [1] * len(METRICS)
    assert b"# TYPE process_" in of_library
    assert page.body == b"packed"

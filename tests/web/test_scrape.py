"""What a client of /metrics may ask for, what the configuration leaves out, and what two clients share."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest
import structlog
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from lvs_agent.clock import SystemClock
from lvs_agent.config import MetricsSettings, ServerDetail
from lvs_agent.core.snapshot import Snapshot
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.metrics.table import METRICS
from lvs_agent.model.statistics import KernelInfo, Statistics
from lvs_agent.web.server import WebServer, bind
from lvs_agent.web.sources import Sources
from tests.web.worlds import world_backend, world_snapshot

PATIENCE_S = 40.0
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
COLLECTORS = {"lvs_agent_collector_duration_seconds", "lvs_agent_collector_success"}


class Kernel(MemoryIpvs):
    """The world's table in memory, which notes what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.world = world_backend()
        self.open = threading.Event()
        self.open.set()

    def read_statistics(self) -> Statistics:
        self.asked.append("netlink")
        self.open.wait()
        return self.world.read_statistics()

    def read_info(self) -> KernelInfo:
        self.asked.append("proc")
        return self.world.read_info()


@dataclass
class Agent:
    """What a server shows, to be changed while it runs."""

    kernel: Kernel = field(default_factory=Kernel)
    settings: MetricsSettings = field(default_factory=MetricsSettings)
    snapshots: int = 0
    error: Exception | None = None
    url: str = ""

    def snapshot(self) -> Snapshot:
        """The world's, or the error."""
        self.snapshots += 1
        if self.error is not None:
            raise self.error
        return world_snapshot()

    def scrape(self, *parameters: tuple[str, str], accept: str = "", encoding: str = "identity") -> httpx.Response:
        """One scrape, whatever it brings."""
        headers = {"accept": accept, "accept-encoding": encoding}
        return httpx.get(f"{self.url}/metrics", params=list(parameters), headers=headers)

    def families(self, *parameters: tuple[str, str]) -> set[str]:
        """The names of the families in a scrape."""
        answer = self.scrape(*parameters)
        assert answer.status_code == 200
        return {line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")}


@pytest.fixture
def agent() -> Iterator[Agent]:
    """A web server with something to show."""
    agent = Agent()
    server = WebServer(
        listener=bind(("127.0.0.1", 0)),
        sources=Sources(
            snapshot=agent.snapshot, vitals=lambda: agent.snapshot().vitals, metrics=lambda: agent.settings
        ),
        backend=agent.kernel,
        clock=SystemClock(),
    )
    server.start()
    server.wait_until_serving(PATIENCE_S)
    agent.url = f"http://{server.address}"
    yield agent
    agent.kernel.open.set()
    server.stop()


def named(*beginnings: str) -> set[str]:
    """The metrics of the table whose names begin so."""
    return {metric.name for metric in METRICS if metric.name.startswith(beginnings)}


# --- filters -----------------------------------------------------------------------------------------------------


def test_only_what_was_asked_for_is_read(agent: Agent) -> None:
    """One source: the others are not even asked, their families are missing, and nothing is said of their success."""
    families = agent.families(("collect[]", "proc"))

    assert agent.kernel.asked == ["proc"]
    assert families == named("lvs_ipvs", "lvs_sysctl", "lvs_sync", "lvs_connection_table") | COLLECTORS | {
        f"lvs_{what}_total"
        for what in ("connections", "incoming_packets", "outgoing_packets", "incoming_bytes", "outgoing_bytes")
    }
    assert [line for line in agent.scrape(("collect[]", "proc")).text.splitlines() if "_success{" in line] == [
        'lvs_agent_collector_success{collector="proc"} 1'
    ]


def test_state_alone_asks_no_kernel(agent: Agent) -> None:
    """The agent's own knowledge, with the infos that it is joined with, and with what Python says of the process."""
    families = agent.families(("collect[]", "state"))

    assert agent.kernel.asked == []
    assert {"lvs_real_server_up", "lvs_real_server_info", "process_cpu_seconds_total", "python_info"} <= families
    assert not families & named("lvs_real_server_connections", "lvs_real_server_weight", "lvs_virtual_service_weight")


def test_sources_add_up(agent: Agent) -> None:
    """Two sources show what both have."""
    both = agent.families(("collect[]", "netlink"), ("collect[]", "proc"))

    assert sorted(agent.kernel.asked) == ["netlink", "proc"]
    assert both == agent.families(("collect[]", "netlink")) | agent.families(("collect[]", "proc"))
    assert "lvs_real_server_up" not in both


def test_all_sources_are_everything(agent: Agent) -> None:
    """Who names every source gets what he gets who names none."""
    every = [("collect[]", source) for source in ("netlink", "proc", "state")]

    assert agent.families(*every) == agent.families()


def test_names_read_no_more_than_they_need(agent: Agent) -> None:
    """A name of the agent's own knowledge does not ask the kernel."""
    assert agent.families(("name[]", "lvs_real_server_up"), ("name[]", "lvs_agent_active")) == {
        "lvs_real_server_up",
        "lvs_agent_active",
    }
    assert agent.kernel.asked == []


def test_both_filters_hold(agent: Agent) -> None:
    """A family must be one of the names, and come from one of the sources."""
    names = [("name[]", "lvs_real_server_up"), ("name[]", "lvs_real_server_weight"), ("name[]", "process_open_fds")]

    assert agent.families(("collect[]", "netlink"), *names) == {"lvs_real_server_weight"}


@pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["text", "OpenMetrics"])
def test_filtered_page_is_a_whole_document(agent: Agent, accept: str) -> None:
    """Both formats, also with nothing in it."""
    agent.settings = MetricsSettings(drop=frozenset({"lvs_agent_active"}))
    answer = agent.scrape(("name[]", "lvs_agent_active"), accept=accept)

    assert answer.text == ("# EOF\n" if accept else "")
    some = agent.scrape(("name[]", "lvs_real_server_up"), accept=accept)
    if accept:
        assert [family.name for family in parse_openmetrics(some.text)] == ["lvs_real_server_up"]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(("key", "word"), [("collect[]", "netlnk"), ("name[]", "\\udcff\0<b>")])
def test_unknown_filter_is_refused_with_what_is_known(agent: Agent, key: str, word: str) -> None:
    """400, as JSON, with all that is known; the kernel is not asked."""
    answer = agent.scrape((key, "netlink" if key == "collect[]" else "lvs_agent_active"), (key, word))

    assert answer.status_code == 400
    assert {"collect[]": "state, netlink, proc", "name[]": "lvs_real_server_up, "}[key] in answer.json()["error"]
    assert agent.kernel.asked == []


def test_other_parameters_mean_nothing(agent: Agent) -> None:
    """What a proxy or a discovery adds does not spoil a scrape."""
    assert agent.families(("module", "x"), ("collect", "y")) == agent.families()


# --- settings ----------------------------------------------------------------------------------------------------


def test_settings_are_in_force_with_the_next_scrape(agent: Agent) -> None:
    """A reload needs no restart, and a page that was made under other settings is not given out."""
    full = agent.families()
    agent.settings = MetricsSettings(real_servers=ServerDetail.STATE)
    state = agent.families()
    agent.settings = MetricsSettings(
        real_servers=ServerDetail.OFF, drop=frozenset({"lvs_sysctl", "python_gc_collections"})
    )
    off = agent.families()

    of_servers = {family for family in full if family.startswith("lvs_real_server_")}
    left = {
        "lvs_real_server_configured_weight",
        "lvs_real_server_info",
        "lvs_real_server_last_transition_timestamp_seconds",
        "lvs_real_server_maintenance",
        "lvs_real_server_transitions_total",
        "lvs_real_server_up",
        "lvs_real_server_wanted_weight",
        "lvs_real_server_weight",
    }
    assert full - state == of_servers - left
    assert full - off == of_servers | {"lvs_sysctl", "python_gc_collections_total"}


# --- faults ------------------------------------------------------------------------------------------------------


def test_agent_that_cannot_tell_its_state_shows_the_rest(agent: Agent) -> None:
    """The kernel's own figures and the process are there, and the failure; it is logged once."""
    agent.error = RuntimeError("broken")
    with structlog.testing.capture_logs() as logs:
        pages = [agent.scrape(encoding=encoding).text for encoding in ("identity", "gzip")]

    for page in pages:
        assert 'lvs_agent_collector_success{collector="state"} 0\n' in page
        assert 'lvs_agent_collector_success{collector="proc"} 1\n' in page
        assert "\nlvs_connection_table_buckets " in page
        assert "process_open_fds" in page
        assert "lvs_real_server_up" not in page
    assert [entry["event"] for entry in logs] == ["state_not_read"]
    agent.error = None
    assert 'collector="state"} 1\n' in agent.scrape(("name[]", "lvs_agent_collector_success")).text


# --- what is shared ----------------------------------------------------------------------------------------------


def test_second_prometheus_gets_the_same_body(agent: Agent) -> None:
    """Within a second, clients that ask for the same get the same bytes, and nothing is made anew."""
    first, second = (agent.scrape(encoding="gzip") for _ in range(2))

    assert (first.content, agent.snapshots) == (second.content, 1)
    assert first.headers["content-encoding"] == second.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"accept": OPENMETRICS}, id="another format"),
        pytest.param({"encoding": "identity"}, id="not compressed"),
    ],
)
def test_who_wants_something_else_gets_it(agent: Agent, other: dict[str, str]) -> None:
    """A body is shared only by those who want the same."""
    first = agent.scrape(encoding="gzip")
    second = agent.scrape(**{"encoding": "gzip"} | other)

    assert agent.snapshots == 2
    assert first.headers["content-type"] != second.headers["content-type"] or "content-encoding" not in second.headers


def test_filters_are_part_of_what_is_wanted(agent: Agent) -> None:
    """A filtered page is not given to clients that ask for the whole one, nor the other way round."""
    up = agent.families(("name[]", "lvs_real_server_up"))

    assert len(agent.families()) > len(up) == 1
    assert agent.families(("name[]", "lvs_real_server_up")) == up


def test_body_is_not_shown_for_longer_than_a_second(agent: Agent) -> None:
    """Then it is made anew, and the memory of the old one is given back."""
    agent.families(("collect[]", "state"))
    time.sleep(1.05)
    agent.families(("collect[]", "state"))

    assert agent.snapshots == 2


def test_scrapes_at_once_make_one_body(agent: Agent) -> None:
    """They wait for the kernel together, and get one body."""
    agent.kernel.open.clear()
    with ThreadPoolExecutor(4) as pool:
        scrapes = [pool.submit(agent.scrape, encoding="gzip") for _ in range(4)]
        wait_until(lambda: agent.kernel.asked == ["netlink"])
        time.sleep(0.2)
        agent.kernel.open.set()
        bodies = {scrape.result().content for scrape in scrapes}

    assert (len(bodies), agent.snapshots) == (1, 1)


def test_page_without_the_kernel_is_nobody_elses(agent: Agent) -> None:
    """Who waited too short a time got less; who waits longer gets all."""
    agent.kernel.open.clear()
    headers = {"x-prometheus-scrape-timeout-seconds": "0.2"}
    short = httpx.get(f"{agent.url}/metrics", headers=headers)
    agent.kernel.open.set()
    whole = httpx.get(f"{agent.url}/metrics")

    assert "lvs_real_server_weight{" not in short.text
    assert "lvs_real_server_weight{" in whole.text


def test_page_is_made_in_parts_that_fit_together(agent: Agent) -> None:
    """Packed or not, it is the same text."""
    headers = {"accept-encoding": "gzip"}
    with httpx.stream("GET", f"{agent.url}/metrics", headers=headers) as answer:
        packed = gzip.decompress(b"".join(answer.iter_raw())).decode()
    plain = agent.scrape().text

    assert heads(packed) == heads(plain)


def heads(page: str) -> list[str]:
    """The lines without their values, which may differ between two scrapes."""
    return [line if line.startswith("#") else line.rpartition(" ")[0] for line in page.splitlines()]


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once ``condition`` holds; fail where it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import structlog
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from lvs_agent.clock import SystemClock
from lvs_agent.core.snapshot import EngineStatus, ReconcileStatus, Snapshot, Vitals
from lvs_agent.errors import Refused, StartError
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.model.statistics import KernelInfo, Statistics
from lvs_agent.web.packing import takes_gzip
from lvs_agent.web.scrape import patience
from lvs_agent.web.server import WebServer, bind
from lvs_agent.web.sources import Sources
from tests.builders import snapshot, virtual_service
from tests.web.worlds import world_backend, world_snapshot

PATIENCE_S = 40.0
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


class Kernel(MemoryIpvs):
    """The table in memory, with a count of readings and a hand on the door."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = 0
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None
        self.world = world_backend()

    def read_statistics(self) -> Statistics:
        self.readings += 1
        self.open.wait()
        if self.error is not None:
            raise self.error
        return self.world.read_statistics()

    def read_info(self) -> KernelInfo:
        return self.world.read_info()


Serve = Callable[[Snapshot], str]


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """The backend of the server; nobody is left waiting for it."""
    kernel = Kernel()
    yield kernel
    kernel.open.set()


@pytest.fixture
def serve(kernel: Kernel) -> Iterator[Serve]:
    """Starts a server that shows a snapshot, and gives its URL."""
    servers: list[WebServer] = []

    def start(shown: Snapshot) -> str:
        server = WebServer(
            listener=bind(("127.0.0.1", 0)),
            sources=Sources(snapshot=lambda: shown, vitals=lambda: shown.vitals),
            backend=kernel,
            clock=SystemClock(),
        )
        servers.append(server)
        server.start()
        server.wait_until_serving(PATIENCE_S)
        return f"http://{server.address}"

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def url(serve: Serve) -> str:
    """A server that shows a world with everything in it."""
    return serve(world_snapshot())


def value_of(text: str, series: str) -> float:
    """The value of one line of the text format."""
    return float(next(line for line in text.splitlines() if line.startswith(series + " ")).rpartition(" ")[2])


# --- /metrics ----------------------------------------------------------------------------------------------------


def test_scrape_shows_the_snapshot_and_the_kernel(url: str) -> None:
    """One page has what the agent knows and what the kernel counts."""
    answer = httpx.get(f"{url}/metrics")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    labels = '{real_server="well",virtual_service="shop"}'
    assert value_of(answer.text, f"lvs_real_server_up{labels}") == 1
    assert value_of(answer.text, f"lvs_real_server_connections_total{labels}") == 1234
    for source in ("state", "netlink", "proc"):
        assert value_of(answer.text, f'lvs_agent_collector_success{{collector="{source}"}}') == 1


def test_scrape_speaks_openmetrics_to_who_asks(url: str) -> None:
    """What Prometheus gets is valid for the strict parser."""
    answer = httpx.get(f"{url}/metrics", headers={"accept": OPENMETRICS})

    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "lvs_real_server_up" in {family.name for family in parse_openmetrics(answer.text)}  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("accepted", "packed"), [("gzip", True), ("gzip;q=0", False), ("identity", False), ("br, gzip;q=0.5", True)]
)
def test_scrape_is_compressed_for_who_accepts_it(url: str, accepted: str, *, packed: bool) -> None:
    """Gzip only where it was asked for; the length is that of what is sent."""
    with httpx.stream("GET", f"{url}/metrics", headers={"accept-encoding": accepted}) as answer:
        raw = b"".join(answer.iter_raw())

    assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
    assert answer.headers["content-length"] == str(len(raw))
    assert b"lvs_agent_active 1\n" in (gzip.decompress(raw) if packed else raw)


@pytest.mark.parametrize("error", [Refused("dump", errno_name="EBUSY"), RuntimeError("broken")], ids=["refused", "bug"])
def test_backend_that_raises_costs_only_its_own_metrics(url: str, kernel: Kernel, error: Exception) -> None:
    """The page is there, says which source failed, and the failure is logged once and not with every scrape."""
    kernel.error = error
    with structlog.testing.capture_logs() as logs:
        first = httpx.get(f"{url}/metrics")
        time.sleep(1.05)
        second = httpx.get(f"{url}/metrics")

    assert kernel.readings == 2
    for answer in (first, second):
        assert answer.status_code == 200
        assert value_of(answer.text, 'lvs_agent_collector_success{collector="netlink"}') == 0
        assert value_of(answer.text, 'lvs_agent_collector_success{collector="proc"}') == 1
        assert "lvs_real_server_weight{" not in answer.text
        assert "lvs_real_server_up{" in answer.text
    assert [(entry["event"], entry["collector"]) for entry in logs] == [("kernel_not_read", "netlink")]


def test_backend_that_hangs_is_given_up_in_time(url: str, kernel: Kernel) -> None:
    """The scrape is answered before Prometheus gives up, without the kernel; the next good reading is used again."""
    kernel.open.clear()
    started = time.monotonic()
    answer = httpx.get(f"{url}/metrics", headers={"x-prometheus-scrape-timeout-seconds": "1"})
    took_s = time.monotonic() - started

    assert took_s < 1
    assert value_of(answer.text, 'lvs_agent_collector_success{collector="netlink"}') == 0
    assert value_of(answer.text, 'lvs_agent_collector_duration_seconds{collector="netlink"}') == 0.5
    kernel.open.set()
    again = httpx.get(f"{url}/metrics")
    assert value_of(again.text, 'lvs_agent_collector_success{collector="netlink"}') == 1


def test_two_scrapes_at_once_read_the_kernel_once(url: str, kernel: Kernel) -> None:
    """A pair of Prometheis costs one reading, whether they come together or within a second."""
    kernel.open.clear()
    with ThreadPoolExecutor(2) as pool:
        scrapes = [pool.submit(httpx.get, f"{url}/metrics") for _ in range(2)]
        while kernel.readings == 0:
            time.sleep(0.01)
        time.sleep(0.1)
        kernel.open.set()
        answers = [scrape.result() for scrape in scrapes]
    third = httpx.get(f"{url}/metrics")

    assert kernel.readings == 1
    assert [value_of(one.text, 'lvs_agent_collector_success{collector="netlink"}') for one in (*answers, third)] == [
        1,
        1,
        1,
    ]


def test_old_reading_is_not_shown_as_a_new_one(url: str, kernel: Kernel) -> None:
    """A second after its end a reading is made anew, also where nobody waited for its end."""
    kernel.open.clear()
    httpx.get(f"{url}/metrics", headers={"x-prometheus-scrape-timeout-seconds": "0.2"})
    kernel.open.set()
    time.sleep(1.1)
    httpx.get(f"{url}/metrics")

    assert kernel.readings == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("10", 9.5), ("0.6", 0.3), ("", 9.5), ("soon", 9.5), ("-1", 9.5), ("nan", 9.5), ("inf", 9.5)],
)
def test_patience_leaves_time_for_the_answer(header: str, seconds: float) -> None:
    """Half a second is kept in reserve, or half of the time where there is little."""
    assert patience(header) == seconds


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP ; q=1.0", True),
        ("gzip;q=0.0", False),
        ("deflate, gzip;q=0.1", True),
        ("*", False),
    ],
)
def test_gzip_is_taken_by_who_names_it(header: str, *, takes: bool) -> None:
    """A weight of zero is a refusal."""
    assert takes_gzip(header) is takes


# --- the other endpoints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age_s", "status"), [(0.2, 200), (6.0, 503)])
def test_livez_follows_the_check_loop(serve: Serve, age_s: float, status: int) -> None:
    """A loop that stands still makes the agent not live, whatever else still answers."""
    answer = httpx.get(f"{serve(snapshot(engine=EngineStatus(last_turn_age_s=age_s)))}/livez")

    assert (answer.status_code, answer.json()) == (status, {"live": status == 200, "check_loop_turned_s_ago": age_s})


def test_readyz_says_what_is_missing(serve: Serve) -> None:
    """Ready is 200; not ready is 503 with the reasons."""
    ready = httpx.get(f"{serve(snapshot(services=[virtual_service()]))}/readyz")
    waiting = httpx.get(f"{serve(snapshot(reconcile=ReconcileStatus()))}/readyz")

    assert (ready.status_code, ready.json()) == (200, {"ready": True, "missing": []})
    assert (waiting.status_code, waiting.json()) == (
        503,
        {"ready": False, "missing": ["the table has not been in sync yet"]},
    )


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_liveness_takes_no_snapshot(kernel: Kernel, path: str) -> None:
    """Whether the agent lives and is ready is answered from facts of constant size: no walk over the checks, no
    kernel, no thread that renders.
    """

    def no_snapshot() -> Snapshot:
        raise AssertionError("a snapshot was built")

    vitals = Vitals(checks=10_000, unreported=0, converged_once=True, last_turn_age_s=0.5)
    server = WebServer(
        listener=bind(("127.0.0.1", 0)),
        sources=Sources(snapshot=no_snapshot, vitals=lambda: vitals),
        backend=kernel,
        clock=SystemClock(),
    )
    server.start()
    try:
        server.wait_until_serving(PATIENCE_S)
        answer = httpx.get(f"http://{server.address}{path}")
    finally:
        server.stop()

    assert answer.status_code == 200
    assert kernel.readings == 0


def test_status_is_json(url: str) -> None:
    """The API shows both sides: the agent's and the kernel's."""
    answer = httpx.get(f"{url}/api/v1/status")

    assert answer.headers["content-type"] == "application/json"
    document = json.loads(answer.text)
    assert document["kernel_read"] is True
    assert document["services"][0]["real_servers"][0]["connections"]["active"] == 152
    assert "hunter2" not in answer.text


def test_page_is_html_under_a_strict_policy(url: str) -> None:
    """The page may use its own style and nothing else."""
    answer = httpx.get(f"{url}/")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("path", ["/", "/metrics", "/livez", "/readyz", "/api/v1/status", "/nothing"])
def test_every_answer_has_the_security_headers(url: str, path: str) -> None:
    """Errors too."""
    headers = httpx.get(url + path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/", "/metrics", "/livez", "/readyz", "/api/v1/status"])
def test_head_is_get_without_the_body(url: str, path: str) -> None:
    """A HEAD request gets status and headers alone."""
    got, headed = httpx.get(url + path), httpx.head(url + path)

    assert (headed.status_code, headed.content) == (got.status_code, b"")
    assert headed.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/api/v2/status", "/../etc/passwd"])
def test_unknown_path_is_404_in_json(url: str, path: str) -> None:
    """Whoever mistypes gets an answer that programs can read."""
    answer = httpx.get(url + path)

    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(url: str, method: str) -> None:
    """The agent is only looked at over HTTP."""
    answer = httpx.request(method, f"{url}/metrics")

    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_requests_leave_nothing_on_standard_output(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """There is no access log: scrapes every few seconds would drown the log."""
    httpx.get(f"{url}/metrics")
    httpx.get(f"{url}/nothing")

    assert capfd.readouterr() == ("", "")


# --- life --------------------------------------------------------------------------------------------------------


def server_of(kernel: Kernel) -> WebServer:
    """A server on a free port of loopback, started."""
    server = WebServer(
        listener=bind(("127.0.0.1", 0)),
        sources=Sources(snapshot=world_snapshot, vitals=lambda: world_snapshot().vitals),
        backend=kernel,
        clock=SystemClock(),
    )
    server.start()
    server.wait_until_serving(PATIENCE_S)
    return server


def stop_time(server: WebServer) -> float:
    """How long a stop takes."""
    started = time.monotonic()
    server.stop()
    return time.monotonic() - started


def test_stop_does_not_wait_for_idle_connections(kernel: Kernel) -> None:
    """A Prometheus that keeps its connection open does not hold the end up, and the port is free at once."""
    server = server_of(kernel)
    with httpx.Client() as client:
        client.get(f"http://{server.address}/livez")

        assert stop_time(server) < 1
    host, port = server.address.split(":")
    bind((host, int(port))).close()


def test_stop_does_not_wait_for_a_kernel_that_hangs(kernel: Kernel) -> None:
    """Who waits for the kernel is answered without it."""
    server = server_of(kernel)
    kernel.open.clear()
    with ThreadPoolExecutor(1) as pool:
        scrape = pool.submit(httpx.get, f"http://{server.address}/metrics")
        while kernel.readings == 0:
            time.sleep(0.01)

        assert stop_time(server) < 1
        assert value_of(scrape.result().text, 'lvs_agent_collector_success{collector="netlink"}') == 0


def test_stop_does_not_wait_for_a_client_that_does_not_read(kernel: Kernel) -> None:
    """An answer that nobody takes is broken off."""
    server = server_of(kernel)
    host, port = server.address.split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect((host, int(port)))
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 400)
        time.sleep(0.3)

        assert stop_time(server) < 1


def test_kernel_that_recovers_is_logged(url: str, kernel: Kernel) -> None:
    """The log says when a source is read again."""
    kernel.error = Refused("dump", errno_name="EBUSY")
    httpx.get(f"{url}/metrics")
    kernel.error = None
    time.sleep(1.05)
    with structlog.testing.capture_logs() as logs:
        httpx.get(f"{url}/metrics")

    assert [(entry["event"], entry["collector"]) for entry in logs] == [("kernel_read_again", "netlink")]


def test_server_that_never_started_gives_its_port_back(kernel: Kernel) -> None:
    """A start that fails elsewhere leaves no socket behind."""
    server = WebServer(
        listener=bind(("127.0.0.1", 0)),
        sources=Sources(snapshot=world_snapshot, vitals=lambda: world_snapshot().vitals),
        backend=kernel,
        clock=SystemClock(),
    )
    server.stop()
    server.stop()

    host, port = server.address.split(":")
    bind((host, int(port))).close()


def test_port_in_use_is_one_clear_line() -> None:
    """The message names the address and the remedy."""
    with bind(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError) as caught:
            bind(("127.0.0.1", port))

    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port}: another program listens there; stop it, or choose another port"
        " with --listen"
    )


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        pytest.param(("192.0.2.7", 9659), "this host does not have the address", id="somebody else's"),
        pytest.param(("2001:db8::7", 9659), "cannot listen on [2001:db8::7]:9659: ", id="somebody else's IPv6"),
        pytest.param(("no.such.host.invalid", 9659), "not an address of this host", id="no name"),
        pytest.param(("127.0.0.1", 70_000), "the port must be from 1 to 65535", id="no port"),
        pytest.param(("x" * 80, 1), "not an address of this host", id="no host name"),
    ],
)
def test_address_that_cannot_be_had_is_one_clear_line(listen: tuple[str, int], words: str) -> None:
    """Every reason comes with a remedy, on one line."""
    with pytest.raises(StartError) as caught:
        bind(listen)

    message = str(caught.value)
    assert words in message
    assert "--listen" in message
    assert "\n" not in message


def test_address_is_written_as_in_a_url() -> None:
    """An IPv6 address stands in brackets."""
    try:
        listener = bind(("::1", 0))
    except StartError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            pytest.skip("this host has no IPv6")
        raise
    server = WebServer(
        listener=listener,
        sources=Sources(snapshot=world_snapshot, vitals=lambda: world_snapshot().vitals),
        backend=MemoryIpvs(),
        clock=SystemClock(),
    )
    server.start()

    try:
        assert server.address.startswith("[::1]:")
        assert httpx.get(f"http://{server.address}/livez").status_code == 200
    finally:
        server.stop()


def test_server_that_cannot_serve_ends_with_the_reason(kernel: Kernel) -> None:
    """Its end is raised where it is awaited, and nothing waits for ever."""
    server = WebServer(
        listener=bind(("127.0.0.1", 0)),
        sources=Sources(snapshot=world_snapshot, vitals=lambda: world_snapshot().vitals),
        backend=kernel,
        clock=SystemClock(),
    )
    server._listener.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        asyncio.run(server.run())
    with pytest.raises(StartError, match="the web server did not start"):
        server.wait_until_serving(PATIENCE_S)
    server.stop()


def test_server_may_be_stopped_before_it_serves(kernel: Kernel) -> None:
    """Whatever its thread is doing, the port is free afterwards."""
    for _ in range(5):
        server = WebServer(
            listener=bind(("127.0.0.1", 0)),
            sources=Sources(snapshot=world_snapshot, vitals=lambda: world_snapshot().vitals),
            backend=kernel,
            clock=SystemClock(),
        )
        server.start()

        assert stop_time(server) < 1
        host, port = server.address.split(":")
        bind((host, int(port))).close()


def test_request_waits_until_it_is_served(kernel: Kernel) -> None:
    """A scrape that comes too early is answered late, not refused."""
    server = WebServer(
        listener=bind(("127.0.0.1", 0)),
        sources=Sources(snapshot=world_snapshot, vitals=lambda: world_snapshot().vitals),
        backend=kernel,
        clock=SystemClock(),
    )
    with ThreadPoolExecutor(1) as pool:
        scrape = pool.submit(httpx.get, f"http://{server.address}/livez")
        time.sleep(0.1)
        server.start()

        assert scrape.result().status_code == 200
    server.stop()

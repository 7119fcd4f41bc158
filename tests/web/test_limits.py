"""What a client may send and leave undone, with real sockets."""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from lvs_agent.clock import SystemClock
from lvs_agent.web import connection
from lvs_agent.web.admission import CONNECTIONS, CONNECTIONS_OF_ONE
from lvs_agent.web.connection import HEAD_LIMIT, PIPELINE_LIMIT, URL_LIMIT
from lvs_agent.web.server import WebServer, bind
from lvs_agent.web.sources import Sources
from tests.web.worlds import world_backend, world_snapshot

PATIENCE_S = 40.0
BRIEF_S = 0.5
GET = b"GET /livez HTTP/1.1\r\nhost: x\r\n"
SLACK_MIB = 64


class Site:
    """A server, and clients of it with raw sockets."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.address, self.url = (host, int(port)), f"http://{address}"
        self._open = ExitStack()

    def connect(self, client: str = "127.0.0.1") -> socket.socket:
        """A connection, open until the end of the test."""
        made = socket.create_connection(self.address, PATIENCE_S, source_address=(client, 0))
        return self._open.enter_context(made)

    def get(self, path: str, client: str = "127.0.0.1") -> int:
        """The status of an answer; 0 if there is none."""
        transport = httpx.HTTPTransport(local_address=client)
        with httpx.Client(transport=transport, timeout=PATIENCE_S) as http:
            try:
                return http.get(f"{self.url}{path}").status_code
            except httpx.TransportError:
                return 0

    def close(self) -> None:
        """Close what is open."""
        self._open.close()


@pytest.fixture
def site() -> Iterator[Site]:
    """A server that shows a world."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8_192, hard), hard))
    shown = world_snapshot()
    server = WebServer(
        listener=bind(("127.0.0.1", 0)),
        sources=Sources(snapshot=lambda: shown, vitals=lambda: shown.vitals),
        backend=world_backend(),
        clock=SystemClock(),
    )
    server.start()
    server.wait_until_serving(PATIENCE_S)
    site = Site(server.address)
    yield site
    site.close()
    server.stop()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def rest(client: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    received = b""
    try:
        while data := client.recv(65_536):
            received += data
    except ConnectionError:
        pass
    return received


def status_of(answer: bytes) -> int:
    """The status of the first answer; 0 if there is none."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(GET + b"a: " + b"x" * HEAD_LIMIT + b"\r\n\r\n", 431, id="one long header"),
        pytest.param(GET + b"a: b\r\n" * 6_000 + b"\r\n", 431, id="many headers"),
        pytest.param(GET + b"a: b\r\n" * 100_000, 431, id="endless headers"),
        pytest.param(GET + b"a: " + b"x" * 500_000, 431, id="endless header"),
        pytest.param(b"GET /" + b"x" * URL_LIMIT + b" HTTP/1.1\r\n\r\n", 414, id="long URL"),
        pytest.param(b"GET /" + b"x" * 500_000, 414, id="endless URL"),
        pytest.param(GET + b"content-length: 5\r\n\r\nhello", 413, id="body"),
        pytest.param(GET + b"content-length: 99999999999\r\n\r\n", 413, id="long body"),
        pytest.param(GET + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 413, id="chunks"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10, 400, id="TLS"),
    ],
)
def test_request_beyond_a_limit_is_refused_with_its_reason(site: Site, request_: bytes, status: int) -> None:
    """The status says which, and the connection ends."""
    client = site.connect()
    try:
        client.sendall(request_)
    except ConnectionError:
        """The server has heard enough; its answer may have been lost with the connection."""
    answer = rest(client)

    assert status_of(answer) in {status, 0} if len(request_) > 2 * HEAD_LIMIT else status_of(answer) == status
    assert site.get("/livez") == 200


def test_reason_of_a_refusal_can_be_parsed(site: Site) -> None:
    """As every other error that is answered."""
    client = site.connect()
    client.sendall(GET + b"content-length: 5\r\n\r\nhello")

    assert "body" in json.loads(rest(client).partition(b"\r\n\r\n")[2])["error"]


def test_head_within_the_limits_is_answered(site: Site) -> None:
    """A long cookie, a long query, an empty body."""
    long = b"x" * (URL_LIMIT - 20)
    client = site.connect()
    client.sendall(
        b"GET /livez?" + long + b" HTTP/1.1\r\ncontent-length: 0\r\nconnection: close\r\ncookie: " + long + b"\r\n\r\n"
    )

    assert status_of(rest(client)) == 200


def test_requests_may_come_before_the_answers_but_not_many(site: Site) -> None:
    """Pipelining works; who sends hundreds at once is cut off."""
    few, many = site.connect(), site.connect()
    few.sendall((GET + b"\r\n") * PIPELINE_LIMIT)
    answers = b""
    while answers.count(b"HTTP/1.1 200") < PIPELINE_LIMIT:
        answers += few.recv(65_536)
    many.sendall((GET + b"\r\n") * 50 * PIPELINE_LIMIT)

    assert rest(many).count(b"HTTP/1.1 200") <= PIPELINE_LIMIT + 1


@pytest.mark.parametrize("sent", [b"", GET, GET + b"\r\n" + GET], ids=["nothing", "half a request", "one and a half"])
def test_client_that_does_not_go_on_is_cut_off(site: Site, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that asks nothing, and one that asks half."""
    monkeypatch.setattr(connection.Connection, "patience_s", BRIEF_S)
    client = site.connect()
    client.sendall(sent)
    began = time.monotonic()
    rest(client)

    assert time.monotonic() - began > BRIEF_S / 2


def test_client_that_was_answered_may_ask_again_later(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection stays open for the next scrape."""
    monkeypatch.setattr(connection.Connection, "patience_s", BRIEF_S)
    with httpx.Client(timeout=PATIENCE_S) as http:
        answers = []
        for _ in range(2):
            answer = http.get(f"{site.url}/livez")
            answers.append(answer.extensions["network_stream"].get_extra_info("client_addr"))
            time.sleep(3 * BRIEF_S)

    assert answers[0] == answers[1]


def test_idle_clients_hinder_nobody(site: Site) -> None:
    """A thousand that say nothing and a thousand that say half, from many addresses."""
    idle = [site.connect(f"127.0.1.{number % 200 + 1}") for number in range(1_000)]
    half = [site.connect(f"127.0.2.{number % 200 + 1}") for number in range(1_000)]
    for client in half:
        try:
            client.send(GET)
        except ConnectionError:
            """It had to make room."""

    assert [site.get(path) for path in ("/livez", "/readyz", "/metrics")] == [200, 503, 200]
    assert site.get("/livez", "127.0.1.1") == 200
    assert len(idle + half) > 3 * CONNECTIONS


def test_one_address_has_so_many_connections_and_no_more(site: Site) -> None:
    """The oldest of those that wait gives way; another address notices nothing."""
    clients = [site.connect() for _ in range(2 * CONNECTIONS_OF_ONE)]
    for client in clients[:CONNECTIONS_OF_ONE]:
        assert rest(client) == b""
    assert site.get("/livez", "127.0.0.9") == 200
    clients[-1].sendall(GET + b"connection: close\r\n\r\n")

    assert status_of(rest(clients[-1])) == 200


def test_memory_does_not_grow_with_what_is_sent(site: Site) -> None:
    """Endless headers on sixty connections, and answers that nobody reads."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clients = [site.connect(f"127.0.3.{number}") for number in range(1, 61)]
    for client in clients[:30]:
        client.settimeout(1.0)
        try:
            for _ in range(50):
                client.sendall(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000)
        except OSError:
            """Cut off."""
    for client in clients[30:]:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
        try:
            client.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n" * PIPELINE_LIMIT)
        except OSError:
            """Cut off."""
    assert site.get("/metrics") == 200

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < SLACK_MIB * 1_024

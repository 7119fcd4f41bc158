"""TLS, passwords and headers, with real handshakes."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import structlog
from structlog.typing import EventDict

from lvs_agent.clock import ManualClock, SystemClock
from lvs_agent.errors import ConfigError
from lvs_agent.web.security import LOOK_EVERY_S, Security
from lvs_agent.web.server import WebServer, bind
from lvs_agent.web.sources import Sources
from tests.web.pki import Authority
from tests.web.test_passwords import hashed
from tests.web.worlds import world_backend, world_snapshot

PATIENCE_S = 40.0


class Site:
    """A directory with a web configuration file, and the server that it protects."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "web.yml"
        self.clock = ManualClock()
        self.certificate, self.key = directory / "server.crt", directory / "server.key"
        self.servers = Authority(directory / "servers.crt")
        self.clients = Authority(directory / "clients.crt")
        self.strangers = Authority(directory / "strangers.crt")
        self._directory = directory
        self._server: WebServer | None = None
        self.renew()

    def renew(self, authority: Authority | None = None) -> None:
        """Replace the server's certificate."""
        (authority or self.servers).issue(self.certificate, self.key, "127.0.0.1")

    def write(
        self, *tls: str, users: dict[str, str] | None = None, headers: str = "{}", encrypted: bool = True
    ) -> None:
        """Write the file: lines of the TLS table, users with their passwords."""
        lines = ["tls_server_config:", "  cert_file: server.crt", "  key_file: server.key"] if encrypted else []
        lines += [f"  {line}" for line in tls]
        lines += ["http_server_config:", f"  headers: {headers}", "basic_auth_users:"]
        lines += [f"  {name}: {hashed(password)}" for name, password in (users or {}).items()]
        self.file.write_text("\n".join(lines))

    def start(self) -> str:
        """Serve, and give address and port."""
        self._server = WebServer(
            listener=bind(("127.0.0.1", 0)),
            sources=Sources(snapshot=world_snapshot, vitals=lambda: world_snapshot().vitals),
            backend=world_backend(),
            clock=self.clock,
            web_config_file=self.file,
        )
        self._server.start()
        self._server.wait_until_serving(PATIENCE_S)
        return self._server.address

    def stop(self) -> None:
        """End, in time."""
        if self._server is not None:
            self._server.stop()

    def later(self) -> None:
        """Let the time pass after which the files are looked at again."""
        self.clock.advance(LOOK_EVERY_S)

    def client(self, *names: str, of: Authority | None = None, trusts: Authority | None = None) -> ssl.SSLContext:
        """A client's context, with a certificate for ``names`` where there are any."""
        context = ssl.create_default_context(cafile=str((trusts or self.servers).path))
        if names:
            certificate, key = self._directory / "client.crt", self._directory / "client.key"
            (of or self.clients).issue(certificate, key, *names)
            context.load_cert_chain(certificate, key)
        return context


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site whose server is stopped at the end."""
    site = Site(tmp_path)
    yield site
    site.stop()


def status(url: str, context: ssl.SSLContext | None = None, **options: object) -> int:
    """The status of an answer, over a connection of its own."""
    with httpx.Client(verify=context or True, trust_env=False, timeout=PATIENCE_S) as client:
        return client.get(url, **options).status_code  # type: ignore[arg-type]


def is_refused(url: str, context: ssl.SSLContext) -> bool:
    """Whether no answer comes, because of the certificates."""
    try:
        status(url, context)
    except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
        return True
    return False


# --- TLS ---------------------------------------------------------------------------------------------------------


def test_everything_is_served_encrypted(site: Site) -> None:
    """Every path, over TLS 1.3, and HTTP/1.1 to who offers more."""
    site.write()
    address = site.start()
    context = site.client()
    context.set_alpn_protocols(["h2", "http/1.1"])

    for path in ("/", "/metrics", "/livez", "/readyz", "/api/v1/status"):
        assert status(f"https://{address}{path}", context) in {200, 503}
    host, port = address.split(":")
    with context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host) as connection:
        assert (connection.version(), connection.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")


@pytest.mark.parametrize(
    ("lines", "client", "agreed"),
    [
        pytest.param([], ssl.TLSVersion.TLSv1_2, "TLSv1.2", id="TLS 1.2 by default"),
        pytest.param(["min_version: TLS13"], ssl.TLSVersion.TLSv1_2, None, id="too old"),
        pytest.param(["max_version: TLS12"], ssl.TLSVersion.TLSv1_3, "TLSv1.2", id="no newer"),
        pytest.param(["curve_preferences: [X25519]"], ssl.TLSVersion.TLSv1_3, "TLSv1.3", id="a curve"),
    ],
)
def test_versions_are_those_of_the_file(
    site: Site, lines: list[str], client: ssl.TLSVersion, agreed: str | None
) -> None:
    """Nothing older than TLS 1.2, and what the operator says."""
    site.write(*lines)
    host, port = site.start().split(":")
    context = site.client()
    context.maximum_version = client

    version = None
    with (
        suppress(ssl.SSLError),
        context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host) as connection,
    ):
        version = connection.version()
    assert version == agreed


def test_cipher_suites_are_those_of_the_file(site: Site) -> None:
    """For TLS 1.2, which alone lets a server choose."""
    site.write("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]", "max_version: TLS12")
    host, port = site.start().split(":")

    with site.client().wrap_socket(socket.create_connection((host, int(port))), server_hostname=host) as connection:
        assert connection.cipher() == ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2", 256)


def test_who_speaks_no_tls_harms_nobody(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    """Plain HTTP, rubbish and silence on the port: the connection ends, others are served, nothing is logged."""
    site.write()
    address = site.start()
    host, port = address.split(":")

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        httpx.get(f"http://{address}/metrics", timeout=PATIENCE_S)
    with socket.create_connection((host, int(port))) as rubbish, socket.create_connection((host, int(port))):
        rubbish.sendall(b"\x16\x03\x01\xff\xff" + b"\x00" * 100)
        assert status(f"https://{address}/livez", site.client()) == 200
    assert capfd.readouterr().err == ""


def test_clients_need_a_certificate_of_the_authority(site: Site) -> None:
    """Without one, or with one of somebody else, there is no answer."""
    site.write("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: clients.crt")
    url = f"https://{site.start()}/metrics"

    assert status(url, site.client("prometheus.example.com")) == 200
    assert is_refused(url, site.client())
    assert is_refused(url, site.client("prometheus.example.com", of=site.strangers))


def test_certificate_may_be_left_out_where_it_is_only_verified_if_given(site: Site) -> None:
    """The one that is given must be right all the same."""
    site.write("client_auth_type: VerifyClientCertIfGiven", "client_ca_file: clients.crt")
    url = f"https://{site.start()}/metrics"

    assert status(url, site.client()) == 200
    assert status(url, site.client("a")) == 200
    assert is_refused(url, site.client("a", of=site.strangers))


@pytest.mark.parametrize(
    "name", ["prometheus.example.com", "192.0.2.1", "2001:db8::1", "a@example.com", "spiffe://a/b"]
)
def test_only_the_names_that_are_let_in_are(site: Site, name: str) -> None:
    """A name of each kind, beside others in the certificate; one that is only alike is not let in."""
    wanted = ["prometheus.example.com", "192.0.2.1", '"2001:db8::1"', "a@example.com", "spiffe://a/b"]
    site.write(
        "client_auth_type: RequireAndVerifyClientCert",
        "client_ca_file: clients.crt",
        f"client_allowed_sans: [{', '.join(wanted)}]",
    )
    url = f"https://{site.start()}/metrics"

    assert status(url, site.client("other.example.com", name)) == 200
    assert is_refused(url, site.client("other.example.com"))
    assert is_refused(url, site.client("www.prometheus.example.com", "192.0.2.10"))


# --- passwords and headers ---------------------------------------------------------------------------------------


def test_passwords_protect_everything(site: Site) -> None:
    """Every path; no password, a wrong one and somebody else's get the same answer, which says what is required."""
    site.write(users={"ann": "one", "bob": "two"}, encrypted=False)
    base = f"http://{site.start()}"

    for path in ("/", "/metrics", "/api/v1/status", "/nothing"):
        assert status(base + path) == 401
    assert status(f"{base}/metrics", auth=("ann", "one")) == 200
    answers = [httpx.get(f"{base}/metrics", auth=pair) for pair in (("ann", "two"), ("eve", "one"), ("", ""))]
    assert {(answer.status_code, answer.text) for answer in answers} == {
        (401, '{"error": "a user and its password are required"}')
    }
    assert answers[0].headers["www-authenticate"] == 'Basic realm="lvs-agent", charset="UTF-8"'
    assert answers[0].headers["x-content-type-options"] == "nosniff"


def test_probes_need_no_password_and_learn_the_status_alone(site: Site) -> None:
    """An orchestrator can give none; only users see what is missing."""
    site.write(users={"ann": "one"}, encrypted=False)
    base = f"http://{site.start()}"

    ready = httpx.get(f"{base}/readyz")
    assert (ready.status_code, ready.content) == (503, b"")
    assert status(f"{base}/livez") == 200
    assert "missing" in httpx.get(f"{base}/readyz", auth=("ann", "one")).text
    assert status(f"{base}/livez", auth=("ann", "two")) == 401


def test_wrong_passwords_are_logged_once_a_minute_without_any_secret(site: Site) -> None:
    """A name is as secret as a password: people mix them up."""
    site.write(users={"ann": "one"}, encrypted=False)
    base = f"http://{site.start()}"

    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            status(base, auth=("ann", "hunter2"))
        site.clock.advance(60.0)
        status(base, auth=("hunter2", "one"))

    refusals = [line for line in lines if line["event"] == "password_refused"]
    assert [(line["client"], line["refused_since_last"]) for line in refusals] == [("127.0.0.1", 1), ("127.0.0.1", 3)]
    assert "hunter2" not in str(lines)
    assert "ann" not in str(refusals)


def test_headers_of_the_file_go_with_every_answer(site: Site) -> None:
    """They replace our own of the same name; one left blank is not set."""
    policy = "default-src 'self'"
    site.write(
        headers=f'{{X-Frame-Options: deny, Content-Security-Policy: "{policy}", X-XSS-Protection: ""}}',
        users={"ann": "one"},
        encrypted=False,
    )
    base = f"http://{site.start()}"

    for answer in (httpx.get(base), httpx.get(base, auth=("ann", "one"))):
        assert answer.headers.get_list("content-security-policy") == [policy]
        assert answer.headers["x-frame-options"] == "deny"
        assert "x-xss-protection" not in answer.headers


# --- changes -----------------------------------------------------------------------------------------------------


def test_renewed_certificate_is_used_without_a_restart(site: Site) -> None:
    """New connections get it; one that is open goes on."""
    site.write()
    url = f"https://{site.start()}/livez"
    with httpx.Client(verify=site.client(), trust_env=False) as old:
        assert old.get(url).status_code == 200
        site.renew(site.strangers)
        site.later()

        assert status(url, site.client(trusts=site.strangers)) == 200
        assert is_refused(url, site.client())
        assert old.get(url).status_code == 200


def test_authority_of_clients_may_be_exchanged(site: Site) -> None:
    """Who had a certificate of the old one is let in no more, even with the ticket of an earlier connection."""
    site.write("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: clients.crt")
    url = f"https://{site.start()}/livez"
    client = site.client("a")
    assert status(url, client) == 200
    site.clients.path.write_bytes(site.strangers.path.read_bytes())
    site.later()

    assert is_refused(url, client)
    assert status(url, site.client("a", of=site.strangers)) == 200


def test_changed_passwords_hold_at_once(site: Site) -> None:
    """Also for who was let in before."""
    site.write(users={"ann": "one"}, encrypted=False)
    url = f"http://{site.start()}/metrics"
    assert status(url, auth=("ann", "one")) == 200
    site.write(users={"ann": "two"}, encrypted=False)
    site.later()

    assert status(url, auth=("ann", "one")) == 401
    assert status(url, auth=("ann", "two")) == 200


def events(lines: list[EventDict], name: str) -> list[str]:
    """The problems in the lines of one kind."""
    return [str(line.get("problem")) for line in lines if line["event"] == name]


def test_broken_file_leaves_everything_in_force_and_is_told_once(site: Site) -> None:
    """Half a renewal: the key does not match yet.  When it does, it is taken."""
    site.write()
    url = f"https://{site.start()}/livez"
    old = site.key.read_bytes()
    with structlog.testing.capture_logs() as lines:
        site.renew(site.strangers)
        new = site.key.read_bytes()
        site.key.write_bytes(old)
        for _ in range(3):
            site.later()
            assert status(url, site.client()) == 200
        site.key.write_bytes(new)
        site.later()
        assert status(url, site.client(trusts=site.strangers)) == 200

    assert events(lines, "web_configuration_not_loaded") == [
        "tls_server_config.key_file: does not belong to the certificate"
    ]
    assert len(events(lines, "web_configuration_loaded")) == 1


def test_tls_is_not_switched_off_by_a_change(site: Site) -> None:
    """Whoever asks over TLS goes on to be answered; the log tells what it takes."""
    site.write()
    url = f"https://{site.start()}/livez"
    with structlog.testing.capture_logs() as lines:
        site.write(encrypted=False)
        site.later()
        assert status(url, site.client()) == 200

    assert events(lines, "web_configuration_not_loaded") == ["only a restart switches TLS on or off"]


def test_files_are_looked_at_once_a_second_at_most(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask."""
    site.write(users={"ann": "one"})
    security = Security(site.file, clock=site.clock)
    looks: list[Path] = []
    stat = Path.stat

    def look(path: Path) -> os.stat_result:
        looks.append(path)
        return stat(path)

    monkeypatch.setattr(Path, "stat", look)
    for _ in range(100):
        security.refresh()
        security.context()
    assert looks == []

    site.later()
    for _ in range(100):
        security.refresh()
    assert sorted(looks) == [site.certificate, site.key, site.file]


# --- start and stop ----------------------------------------------------------------------------------------------


def test_broken_file_is_no_start(site: Site) -> None:
    """Better not at all than for everybody to read."""
    site.file.write_text("basic_auth_users: {ann: one}")
    with bind(("127.0.0.1", 0)) as listener, pytest.raises(ConfigError, match=r"web\.yml: basic_auth_users\.ann: must"):
        WebServer(
            listener=listener,
            sources=Sources(snapshot=world_snapshot, vitals=lambda: world_snapshot().vitals),
            backend=world_backend(),
            clock=SystemClock(),
            web_config_file=site.file,
        )


def test_client_that_does_not_go_on_with_its_handshake_does_not_hold_the_stop_up(site: Site) -> None:
    """A connection without a word on it is cut."""
    site.write()
    address = site.start()
    host, port = address.split(":")
    clock = SystemClock()
    with socket.create_connection((host, int(port))):
        assert status(f"https://{address}/livez", site.client()) == 200  # they are accepted in order
        began = clock.monotonic()
        site.stop()
        assert clock.monotonic() - began < PATIENCE_S


def test_wrong_passwords_do_not_hold_up_right_ones(site: Site) -> None:
    """Who was let in before is answered while others guess."""
    site.write(users={"ann": "one"}, encrypted=False)
    url = f"http://{site.start()}/livez"

    async def ask() -> list[int]:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
            assert (await client.get(url, auth=("ann", "one"))).status_code == 200
            guesses = [asyncio.create_task(client.get(url, auth=("ann", f"{n}"))) for n in range(40)]
            right = await client.get(url, auth=("ann", "one"))
            return [right.status_code, *[(await guess).status_code for guess in guesses]]

    assert asyncio.run(ask()) == [200, *[401] * 40]

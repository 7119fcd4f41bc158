"""OpenLDAP, ProFTPD, JamNNTPd, Redis and memcached, each as Debian has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from lvs_agent.checks.engine.engine import LATE_S
from lvs_agent.model.check import CheckReport, Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.servers import report_of, run, spec
from tests.servers import jamnntpd, memcached, proftpd, redis, slapd
from tests.servers.daemons import ADDRESS, Daemon, needs, until

TIMEOUT_S = 5.0
HUNG_TIMEOUT_S = 0.4

pytestmark = needs("slapd", "proftpd-core", "openssl", "jamnntpd", "redis-server", "memcached")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A daemon that is up, its ports, and what a check needs that passes."""

    daemon: Daemon
    kind: str
    port: int
    keys: dict[str, Any]

    def check(self, *, timeout_s: float = TIMEOUT_S, keys: dict[str, Any] | None = None) -> CheckReport:
        """One check; ``keys`` stand instead of those that pass."""
        wanted = self.keys if keys is None else keys
        return run(report_of(spec(self.kind, port=self.port, timeout_s=timeout_s, **wanted)))


@pytest.fixture(scope="module")
def servers(certificates: Certificates) -> Iterator[dict[str, Running]]:
    """All of them, by the name of what is checked."""
    good = certificates.good.path
    with ExitStack() as stack:
        ldap = stack.enter_context(slapd.slapd(good))
        ftp = stack.enter_context(proftpd.proftpd())
        nntp = stack.enter_context(jamnntpd.jamnntpd())
        master = stack.enter_context(redis.redis())
        cache = stack.enter_context(memcached.memcached())
        trust = {"ca_file": str(good)}
        bind = {"bind_dn": slapd.ADMINISTRATOR, "password": slapd.PASSWORD, "base": slapd.HIDDEN}
        login = {"user": proftpd.LOGIN, "password": proftpd.PASSWORD}
        reader = {"user": jamnntpd.LOGIN, "password": jamnntpd.PASSWORD, "group": jamnntpd.CLOSED}
        version = {"send": "version\r\n", "expect_regex": r"^VERSION [0-9.]+\r\n"}
        yield {
            "ldap": Running(daemon=ldap.daemon, kind="ldap", port=ldap.plain, keys={"base": slapd.BASE}),
            "StartTLS": Running(
                daemon=ldap.daemon, kind="ldap", port=ldap.plain, keys=bind | {"starttls": True, "tls": trust}
            ),
            "ldaps": Running(daemon=ldap.daemon, kind="ldaps", port=ldap.tls, keys=bind | {"tls": trust}),
            "ftp": Running(
                daemon=ftp.daemon, kind="ftp", port=ftp.port,
                keys=login | {"path": proftpd.FILE, "body_regex": "^all is well$"},
            ),
            "nntp": Running(daemon=nntp.daemon, kind="nntp", port=nntp.port, keys=reader),
            "redis": Running(
                daemon=master.daemon, kind="redis", port=master.port,
                keys={"password": redis.PASSWORD, "role": "master"},
            ),
            "memcached": Running(daemon=cache.daemon, kind="memcached", port=cache.port, keys={}),
            "tcp": Running(daemon=cache.daemon, kind="tcp", port=cache.port, keys={"steps": [version]}),
        }  # fmt: skip


NAMES = ["ldap", "StartTLS", "ldaps", "ftp", "nntp", "redis", "memcached", "tcp"]


@pytest.mark.parametrize("name", NAMES)
def test_server_that_is_up_passes(servers: dict[str, Running], name: str) -> None:
    """With everything that the check can ask of it."""
    result = servers[name].check().result

    assert isinstance(result, Passed), result
    assert (result.certificate_not_after is not None) == (name in {"StartTLS", "ldaps"})


@pytest.mark.parametrize(
    ("name", "keys", "reason", "detail"),
    [
        pytest.param(
            "ldap", {"bind_dn": slapd.ADMINISTRATOR, "password": "wr0ng"},
            FailureReason.STATUS, "bind: invalid credentials (49)", id="ldap credentials",
        ),
        pytest.param(
            "ldap", {"base": "dc=example,dc=com", "dn_regex": "^dc=other"},
            FailureReason.CONTENT, "'dc=example,dc=com' does not match dn_regex", id="ldap answer",
        ),
        pytest.param(
            "ldap", {"base": slapd.HIDDEN}, FailureReason.CONTENT, f"0 entries at '{slapd.HIDDEN}' instead of 1",
            id="ldap entry that is not for everybody",
        ),
        pytest.param(
            "ldap", {"base": "dc=elsewhere"}, FailureReason.STATUS, "search: no such object (32)",
            id="ldap entry of another server",
        ),
        pytest.param(
            "StartTLS", {"starttls": True}, FailureReason.TLS, "certificate verify failed: self-signed certificate",
            id="ldap certificate",
        ),
        pytest.param(
            "ldaps", {"bind_dn": slapd.ADMINISTRATOR, "password": "wr0ng", "tls": {"verify": False}},
            FailureReason.STATUS, "bind: invalid credentials (49)", id="ldaps credentials",
        ),
        pytest.param("ftp", {"path": "x"}, FailureReason.STATUS, "PASS: 530 Login incorrect.", id="ftp credentials"),
        pytest.param(
            "ftp", {"user": proftpd.LOGIN, "password": proftpd.PASSWORD, "path": "missing"},
            FailureReason.STATUS, "RETR: 550 missing: No such file or directory", id="ftp file",
        ),
        pytest.param(
            "ftp",
            {"user": proftpd.LOGIN, "password": proftpd.PASSWORD, "path": proftpd.FILE, "body_regex": "busy"},
            FailureReason.CONTENT, "body_regex does not match in the 12 bytes of the file", id="ftp answer",
        ),
        pytest.param(
            "nntp", {"user": jamnntpd.LOGIN, "password": "wr0ng"},
            FailureReason.STATUS, "AUTHINFO PASS: 481 Authentication rejected", id="nntp credentials",
        ),
        pytest.param(
            "nntp", {"group": jamnntpd.CLOSED},
            FailureReason.STATUS, "GROUP: 411 No such newsgroup", id="nntp group that is not for everybody",
        ),
        pytest.param(
            "redis", {"password": "wr0ng"}, FailureReason.STATUS,
            "AUTH: WRONGPASS invalid username-password pair or user is disabled.", id="redis credentials",
        ),
        pytest.param(
            "redis", {"password": redis.PASSWORD, "role": "replica"},
            FailureReason.CONTENT, "its role is master, not replica", id="redis answer",
        ),
        pytest.param(
            "tcp", {"steps": [{"send": "nonsense\r\n", "expect": "ERROR"}, {"send": "quit\r\n", "expect": "OK"}]},
            FailureReason.CONTENT, r"step 2: not what is expected: '\r\n'", id="tcp answer",
        ),
    ],
)  # fmt: skip
def test_wrong_credentials_and_answers_fail(
    servers: dict[str, Running], name: str, keys: dict[str, Any], reason: FailureReason, detail: str
) -> None:
    """With the reason, and the server's own words."""
    result = servers[name].check(keys=keys).result

    assert isinstance(result, Failed), result
    assert (result.reason, result.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("name", "kind"), [("redis", "memcached"), ("memcached", "redis"), ("ftp", "nntp"), ("nntp", "ldap")]
)
def test_server_of_another_protocol_fails(servers: dict[str, Running], name: str, kind: str) -> None:
    """Something else that answers on the port is not taken for the service."""
    report = run(report_of(spec(kind, port=servers[name].port, timeout_s=TIMEOUT_S)))

    assert isinstance(report.result, Failed)
    assert report.result.reason in {FailureReason.PROTOCOL, FailureReason.STATUS}


@pytest.mark.parametrize("name", NAMES)
def test_hung_server_fails_at_the_deadline(servers: dict[str, Running], name: str) -> None:
    """The kernel goes on accepting for it: it is the answer that does not come, and not later than allowed."""
    with servers[name].daemon.hung():
        report = servers[name].check(timeout_s=HUNG_TIMEOUT_S)

    assert isinstance(report.result, Failed)
    assert report.result.reason is FailureReason.READ_TIMEOUT
    assert report.duration_s < HUNG_TIMEOUT_S + LATE_S, "later, and the engine would take the blame"


@pytest.mark.parametrize("name", ["ldap", "ftp", "redis", "memcached"])
def test_stopped_server_fails_and_comes_back(servers: dict[str, Running], name: str) -> None:
    """Its port refuses, at once; started again it passes."""
    with servers[name].daemon.stopped():
        report = servers[name].check()

    assert report.result == Failed(FailureReason.REFUSED, "connection refused")
    assert isinstance(servers[name].check().result, Passed)


@pytest.mark.parametrize(
    ("name", "service", "directives", "passes"),
    [
        ("ldap", "ldap", [f'request="{slapd.BASE}"', 'receive="^dc=example,"'], True),
        ("ldap", "ldap", [f'request="{slapd.BASE}"', 'receive="^dc=other,"'], False),
        ("ldaps", "ldaps", [f'request="{slapd.HIDDEN}"', f'login="{slapd.ADMINISTRATOR}"', 'passwd="s3cret"'], True),
        (
            "ftp",
            "ftp",
            ['login="monitor"', 'passwd="s3cret"', f'request="HOME/files/{proftpd.FILE}"', 'receive="well$"'],
            True,
        ),
        ("ftp", "ftp", ['login="monitor"', 'passwd="wr0ng"'], False),
        ("nntp", "nntp", [], True),
        ("ftp", "nntp", [], False),
        ("tcp", "simpletcp", [r'request="version\nquit\n"', 'receive="^VERSION [0-9.]+"'], True),
        ("tcp", "simpletcp", [r'request="version\nquit\n"', 'receive="^VERSION [a-z]+"'], False),
    ],
)
def test_service_of_an_ldirectord_cf_is_checked_for_real(
    servers: dict[str, Running], name: str, service: str, directives: list[str], *, passes: bool
) -> None:
    """What the file asks for reaches the server, with the login of the file and the answer that it wants.

    The path of a file begins at the root, as ldirectord has it.
    """
    lines = [f"real={ADDRESS}:{servers[name].port} masq", f"service={service}", "negotiatetimeout=5", *directives]
    text = "virtual=203.0.113.1:1021\n" + "".join(f"\t{line}\n" for line in lines)
    from tests.ldirectord.reader.expected import config_of  # noqa: PLC0415 - nothing else here needs ldirectord

    (check,) = config_of(text.replace("HOME", str(servers[name].daemon.home))).intent.checks.values()

    assert isinstance(run(report_of(check)).result, Passed) is passes


def test_stopped_news_server_fails() -> None:
    """Its port refuses.  It cannot be started again on that port for a minute, so this one is of its own."""
    with jamnntpd.jamnntpd() as server:
        server.daemon.stop()
        report = run(report_of(spec("nntp", port=server.port, timeout_s=TIMEOUT_S)))

    assert report.result == Failed(FailureReason.REFUSED, "connection refused")


def test_replica_that_has_lost_its_master_fails_where_that_is_asked() -> None:
    """It answers as before, with what it knew."""
    with redis.redis() as master, redis.redis(replica_of=master.port) as replica:
        keys = {"password": redis.PASSWORD, "role": "replica"}
        checked = Running(daemon=replica.daemon, kind="redis", port=replica.port, keys=keys | {"linked": True})
        until(_passes(checked), what="linked")
        master.daemon.stop()
        time.sleep(0.05)
        until(lambda: not _passes(checked)(), what="not linked")

        assert checked.check().result == Failed(FailureReason.CONTENT, "its link to the master is down")
        assert isinstance(checked.check(keys=keys).result, Passed)


def _passes(checked: Running) -> Callable[[], bool]:
    return lambda: isinstance(checked.check().result, Passed)

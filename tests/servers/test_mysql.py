from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.servers import result_of, run, spec
from tests.servers.daemons import needs
from tests.servers.mariadb import PASSWORD, MariaDb, mariadb

pytestmark = [needs("mariadb-server", "galera-4"), pytest.mark.timeout(90)]

DENIED = "Access denied for user 'monitor'@'127.0.0.1' (using password: {})"


@pytest.fixture(scope="module", name="server")
def running(certificates: Certificates) -> Iterator[MariaDb]:
    """One server for all."""
    with mariadb(certificates.good.path) as server:
        yield server


def checked(server: MariaDb, *, timeout_s: float = 5.0, **keys: Any) -> CheckResult:
    """What a check of the server says."""
    login = {"user": "monitor", "password": PASSWORD}
    return run(result_of(spec("mysql", port=server.port, timeout_s=timeout_s, **{**login, **keys})))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, Passed("login and ping")),
        ({"database": "shop", "query": "SELECT state FROM health", "expect_regex": "^ok$"},
         Passed("the query returned a row")),
        ({"query": "SELECT * FROM shop.health, information_schema.columns"}, Passed("the query returned a row")),
        ({"query": "SELECT state FROM shop.empty"}, Failed(FailureReason.CONTENT, "the query returned no row")),
        ({"query": "SELECT state FROM shop.health", "expect_regex": "^ko$"},
         Failed(FailureReason.CONTENT, "expect_regex does not match the first column of the query's first row")),
        ({"query": "SELECT 1 FROM shop.none"},
         Failed(FailureReason.STATUS, "1146: Table 'shop.none' doesn't exist")),
        ({"database": "nosuch"},
         Failed(FailureReason.STATUS, "1044: Access denied for user 'monitor'@'127.0.0.1' to database 'nosuch'")),
        ({"password": "wrong"}, Failed(FailureReason.STATUS, f"1045: {DENIED.format('YES')}")),
        ({"password": None}, Failed(FailureReason.STATUS, f"1045: {DENIED.format('NO')}")),
        ({"user": "encrypted"}, Failed(FailureReason.STATUS, f"1045: {DENIED.format('YES')}")),
        ({"expect": {"galera": True, "read_only": False}},
         Passed("the server accepts writes, wsrep_local_state 4 (Synced), wsrep_ready ON")),
        ({"expect": {"read_only": True}}, Failed(FailureReason.CONTENT, "the server accepts writes")),
        ({"expect": {"max_lag": "10s"}}, Failed(FailureReason.CONTENT, "the server is not a replica")),
        ({"tls": {}}, Failed(FailureReason.TLS, "certificate verify failed: self-signed certificate")),
        ({"user": "modern"}, Errored(ErrorReason.FILE_MISSING,
                                      "'pynacl' package is required for ed25519_password auth method")),
    ],
)  # fmt: skip
def test_verdict_is_the_right_one(server: MariaDb, keys: dict[str, Any], expected: CheckResult) -> None:
    """A healthy server passes; what it refuses or lacks is reported in its own words."""
    if keys.get("user") == "encrypted":
        expected = Failed(FailureReason.STATUS, f"1045: {DENIED.format('YES').replace('monitor', 'encrypted')}")

    assert checked(server, **keys) == expected


def test_tls_is_verified_and_expires(server: MariaDb, certificates: Certificates) -> None:
    """Login over TLS, where the server insists on it; the certificate's end goes with the result."""
    good = certificates.good
    for tls in ({"ca_file": str(good.path)}, {"verify": False}):
        assert checked(server, user="encrypted", tls=tls) == Passed(
            "login and ping", certificate_not_after=good.not_after
        )
    assert checked(server, tls={"ca_file": str(good.path), "server_name": "other.example.com"}) == Failed(
        FailureReason.TLS,
        "certificate verify failed: Hostname mismatch, certificate is not valid for 'other.example.com'",
    )


def test_right_that_is_missing_is_told(server: MariaDb) -> None:
    """The state of replication needs a right of its own."""
    result = checked(server, user="few", expect={"max_lag": "1s"})

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.STATUS
    assert result.detail.startswith("1227: Access denied; you need (at least one of) the SUPER, ")


def test_replica_is_checked_as_one(server: MariaDb) -> None:
    """It passes while it replicates, and says which of its threads does not run."""
    server.replicate()
    try:
        result = checked(server, expect={"max_lag": "10s"})
        for _ in range(100):
            if isinstance(result, Passed):
                break
            time.sleep(0.05)
            result = checked(server, expect={"max_lag": "10s"})
        assert result == Passed("0 s behind")
        server.tell("STOP SLAVE SQL_THREAD")
        assert checked(server, expect={"max_lag": "10s"}) == Failed(
            FailureReason.CONTENT, "not replicating: IO thread Yes, SQL thread No"
        )
    finally:
        server.tell("STOP SLAVE", "RESET SLAVE ALL")


def test_read_only_server_is_seen(server: MariaDb) -> None:
    """What takes writes and what does not is the global variable's word."""
    server.tell("SET GLOBAL read_only = 1")
    try:
        assert checked(server, expect={"read_only": True}) == Passed("the server is read-only")
        assert checked(server, expect={"read_only": False}) == Failed(FailureReason.CONTENT, "the server is read-only")
    finally:
        server.tell("SET GLOBAL read_only = 0")


def test_desynced_node_of_galera_fails(server: MariaDb) -> None:
    """A donor still answers queries, and yet it is not a place for them."""
    server.tell("SET GLOBAL wsrep_desync = ON")
    try:
        assert checked(server, expect={"galera": True}) == Failed(
            FailureReason.CONTENT, "wsrep_local_state 2 (Donor/Desynced), wsrep_ready ON"
        )
    finally:
        server.tell("SET GLOBAL wsrep_desync = OFF")


def test_query_that_waits_for_a_lock_runs_out_of_time(server: MariaDb) -> None:
    """A server that greets and then does not answer is reported with what was awaited."""
    assert checked(server, timeout_s=0.5, query="SELECT SLEEP(2)") == Failed(
        FailureReason.READ_TIMEOUT, "no answer within 0.5 s: waiting for an answer to the query"
    )


def test_server_that_does_not_run_fails(server: MariaDb) -> None:
    """A hung server accepts and does not greet, a stopped one refuses."""
    with server.daemon.hung():
        assert checked(server, timeout_s=0.5) == Failed(
            FailureReason.READ_TIMEOUT, "no answer within 0.5 s: waiting for the server's greeting"
        )
    assert checked(server) == Passed("login and ping")
    server.daemon.stop()
    try:
        assert checked(server) == Failed(FailureReason.REFUSED, "connection refused")
    finally:
        server.daemon.start()

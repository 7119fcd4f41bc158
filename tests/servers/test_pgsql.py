from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.servers import result_of, run, spec
from tests.servers.daemons import needs, until
from tests.servers.postgresql import PASSWORD, PostgreSql, postgresql, standby_of

pytestmark = [needs("postgresql"), pytest.mark.timeout(90)]


@pytest.fixture(scope="module", name="server")
def primary(certificates: Certificates) -> Iterator[PostgreSql]:
    """One server for all."""
    with postgresql(certificates.good.path) as server:
        yield server


@pytest.fixture(scope="module", name="standby")
def replica(server: PostgreSql) -> Iterator[PostgreSql]:
    """And one that follows it: its receiver has connected."""
    with standby_of(server) as standby:
        receiving = "SELECT 1 FROM pg_stat_wal_receiver WHERE pid IS NOT NULL"
        until(lambda: isinstance(checked(standby, query=receiving), Passed), what="receiving")
        yield standby


def checked(server: PostgreSql, *, timeout_s: float = 5.0, **keys: Any) -> CheckResult:
    """What a check of the server says."""
    login = {"user": "monitor", "password": PASSWORD, "database": "postgres"}
    return run(result_of(spec("pgsql", port=server.port, timeout_s=timeout_s, **{**login, **keys})))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, Passed("login")),
        ({"query": "SELECT state FROM health", "expect_regex": "^ok$"}, Passed("the query returned a row")),
        ({"query": "SELECT repeat('x', 100), generate_series(1, 100000)"}, Passed("the query returned a row")),
        ({"query": "SELECT state FROM hollow"}, Failed(FailureReason.CONTENT, "the query returned no row")),
        ({"query": "COPY health TO STDOUT"}, Failed(FailureReason.CONTENT, "the query returned no row")),
        ({"query": "CREATE TEMPORARY TABLE own (a text)"}, Failed(FailureReason.CONTENT, "the query returned no row")),
        ({"query": "SELECT state FROM health", "expect_regex": "^ko$"},
         Failed(FailureReason.CONTENT, "expect_regex does not match the first column of the query's first row")),
        ({"query": "SELECT 1 FROM nothing"},
         Failed(FailureReason.STATUS, '42P01: relation "nothing" does not exist')),
        ({"database": "nosuch"}, Failed(FailureReason.STATUS, 'database "nosuch" does not exist')),
        ({"password": "wrong"}, Failed(FailureReason.STATUS, 'password authentication failed for user "monitor"')),
        ({"password": None}, Failed(FailureReason.STATUS, "fe_sendauth: no password supplied")),
        ({"user": "older"}, Passed("login")),
        ({"user": "encrypted"}, Passed("login")),
        ({"expect": {"read_only": False}}, Passed("the server accepts writes")),
        ({"expect": {"read_only": True}}, Failed(FailureReason.CONTENT, "the server accepts writes")),
        ({"expect": {"max_lag": "10s"}}, Failed(FailureReason.CONTENT, "the server is not a standby")),
    ],
)  # fmt: skip
def test_verdict_is_the_right_one(server: PostgreSql, keys: dict[str, Any], expected: CheckResult) -> None:
    """A healthy server passes; what it refuses or lacks is reported in its own words."""
    assert checked(server, **keys) == expected


def test_tls_is_verified(server: PostgreSql, certificates: Certificates) -> None:
    """A tls table is a demand; an authority that is not known and another name are refused."""
    good = str(certificates.good.path)

    assert checked(server, tls={"ca_file": good}) == Passed("login")
    assert checked(server, tls={"verify": False}) == Passed("login")
    for tls, words in (({}, "certificate verify failed"), ({"ca_file": good, "server_name": "x"}, "does not match")):
        result = checked(server, tls=tls)
        assert isinstance(result, Failed)
        assert result.reason is FailureReason.TLS
        assert words in result.detail


def test_password_is_sent_in_plain_within_verified_tls_only(server: PostgreSql, certificates: Certificates) -> None:
    """A server that asks for the password itself gets it where it is known who it is."""
    result = checked(server, user="plain")

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.STATUS
    assert "cleartext" in result.detail
    assert checked(server, user="plain", tls={"ca_file": str(certificates.good.path)}) == Passed("login")


def test_standby_is_checked_as_one(server: PostgreSql, standby: PostgreSql) -> None:
    """A standby that keeps up passes, also when nothing is written; of one that does not, the lag is reported."""
    assert checked(standby, expect={"read_only": True, "max_lag": "10s"}) == Passed(
        "the server is read-only, 0 s behind"
    )
    server.tell("INSERT INTO health VALUES ('later')")
    later = "SELECT 1 FROM health WHERE state = 'later'"
    until(lambda: isinstance(checked(standby, query=later), Passed), what="replayed")
    standby.tell("SELECT pg_wal_replay_pause()")
    try:
        server.tell("INSERT INTO hollow VALUES ('x'); DELETE FROM hollow")
        behind = "SELECT 1 WHERE pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()"
        behind += " AND clock_timestamp() > pg_last_xact_replay_timestamp() + interval '100 ms'"
        until(lambda: isinstance(checked(standby, query=behind), Passed), what="behind")
        result = checked(standby, expect={"max_lag": "100ms"})
    finally:
        standby.tell("SELECT pg_wal_replay_resume()")

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.CONTENT
    assert result.detail.endswith("which is more than 0.1 s")


BEHIND, REPLAYED = "1, '0/3000100', '0/3000060'", "1, '0/3000100', '0/3000100'"


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([f"{REPLAYED}, NULL"], Passed("0 s behind"), id="nothing to replay yet"),
        pytest.param(["1, '0/3000000', '0/3000060', NULL"], Passed("0 s behind"), id="segment begins before that"),
        pytest.param([f"{REPLAYED}, '1 hour'"], Passed("0 s behind"), id="nothing for an hour"),
        pytest.param([f"{BEHIND}, '2 seconds'"], Passed("2 s behind"), id="a little"),
        pytest.param([f"{BEHIND}, '1 hour'", f"{REPLAYED}, '0'"], Passed("0 s behind"), id="first in an hour"),
        pytest.param([f"{BEHIND}, NULL", f"{REPLAYED}, NULL"], Passed("0 s behind"), id="first of all"),
        pytest.param(
            [f"{BEHIND}, '1 hour'"] * 2,
            Failed(FailureReason.CONTENT, "3600 s behind, which is more than 10 s"),
            id="far behind",
        ),
        pytest.param(
            [f"{BEHIND}, NULL"] * 2,
            Failed(FailureReason.CONTENT, "not replicating: no transaction has been replayed yet"),
            id="replay does not begin",
        ),
        pytest.param(
            ["NULL, '0/3000000', '0/3000060', NULL"] * 2,
            Failed(FailureReason.CONTENT, "not replicating: no transaction has been replayed yet"),
            id="no receiver",
        ),
    ],
)
def test_lag_is_told_by_what_is_received_and_not_replayed(
    server: PostgreSql, looks: list[str], expected: CheckResult
) -> None:
    """On a server that says what a standby says: is there a receiver, what has come, what is replayed, how old it is.

    A standby with nothing to replay is not behind, and neither is one that gets the first change for a long time.
    """
    rows = ", ".join(f"({number}, {look})" for number, look in enumerate(looks, 1))
    server.tell(f"TRUNCATE posing.looks; INSERT INTO posing.looks VALUES {rows}; ALTER SEQUENCE posing.look RESTART")

    assert checked(server, user="posing", expect={"max_lag": "10s"}) == expected


def test_query_that_takes_long_runs_out_of_time(server: PostgreSql) -> None:
    """The server greets and then does not answer; the connection is closed, not waited for."""
    begin = time.monotonic()
    assert checked(server, timeout_s=0.5, query="SELECT pg_sleep(5)") == Failed(
        FailureReason.READ_TIMEOUT, "no answer within 0.5 s: waiting for an answer to the query"
    )
    assert time.monotonic() - begin < 4


def test_server_that_does_not_run_fails(server: PostgreSql) -> None:
    """A hung server accepts and says nothing, a stopped one refuses."""
    with server.daemon.hung():
        assert checked(server, timeout_s=0.5) == Failed(
            FailureReason.READ_TIMEOUT, "no answer within 0.5 s: waiting for login"
        )
    assert checked(server) == Passed("login")
    with server.daemon.stopped():
        assert checked(server) == Failed(FailureReason.REFUSED, "connection refused")

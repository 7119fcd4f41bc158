import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent.checks.kinds.mysql import Settings
from lvs_agent.checks.kinds.mysql.session import galera, lag
from lvs_agent.checks.net.dialogue import CheckFailed
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from tests.checks import sql_servers
from tests.checks.conftest import Certificates
from tests.checks.servers import Handler, descriptors, engine_running, result_of, run, serving, silent, spec, threads
from tests.checks.sql_servers import LONGEST, OK, Table, error, mysql, then

LOGIN: dict[str, Any] = {"user": "monitor", "password": "hush-hush"}


def checked(handler: Handler, *, timeout_s: float = 2.0, **keys: Any) -> CheckResult:
    """What a check of this server says."""

    async def main() -> CheckResult:
        async with serving(handler) as port:
            return await result_of(spec("mysql", port=port, timeout_s=timeout_s, **{**LOGIN, **keys}))

    return run(main())


def test_ping_is_enough_where_nothing_else_is_asked() -> None:
    """Login and COM_PING pass without a query."""
    assert checked(mysql()) == Passed("login and ping")


@pytest.mark.parametrize(
    ("table", "keys", "expected"),
    [
        ((["a"], [["1"]]), {}, Passed("the query returned a row")),
        ((["a"], [[None]]), {}, Passed("the query returned a row")),
        ((["a", "b"], [["up", "x"], ["down", "y"]]), {"expect_regex": "^up$"}, Passed("the query returned a row")),
        ((["a"], []), {}, Failed(FailureReason.CONTENT, "the query returned no row")),
        (OK, {}, Failed(FailureReason.CONTENT, "the query returned no row")),
        *(
            (
                (["a", "b"], [[first, "up"], ["up", "up"]]),
                {"expect_regex": "^up$"},
                Failed(
                    FailureReason.CONTENT, "expect_regex does not match the first column of the query's first row"
                ),
            )
            for first in ("down", None)
        ),
        (error(1146, "No table\nx.y"), {}, Failed(FailureReason.STATUS, "1146: No table x.y")),
    ],
)  # fmt: skip
def test_query_must_give_the_row(table: Table | bytes, keys: dict[str, Any], expected: CheckResult) -> None:
    """A row passes, of any content unless a regular expression is given; NULL has no text."""
    assert checked(mysql({"SELECT 1": table}), query="SELECT 1", **keys) == expected


def test_only_the_first_row_is_read() -> None:
    """However long the answer is, one row of it is enough."""
    table = (["a"], [["x" * 1_000]] * 2_000)

    assert checked(mysql({"SELECT 1": table}), query="SELECT 1") == Passed("the query returned a row")


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ("1", True, Passed("the server is read-only")),
        ("0", False, Passed("the server accepts writes")),
        ("OFF", False, Passed("the server accepts writes")),
        ("READ_ONLY_NO_LOCK", True, Passed("the server is read-only")),
        ("1", False, Failed(FailureReason.CONTENT, "the server is read-only")),
        ("0", True, Failed(FailureReason.CONTENT, "the server accepts writes")),
    ],
)
def test_read_only_must_be_as_wanted(found: str, wanted: bool, expected: CheckResult) -> None:  # noqa: FBT001 - a table
    """A server that takes writes and one that does not can be told apart."""
    server = mysql({"SELECT @@global.read_only AS it": (["it"], [[found]])})

    assert checked(server, expect={"read_only": wanted}) == expected


@pytest.mark.parametrize("version", ["8.0.36", "5.7.44", "10.11.6-MariaDB-0+deb12u1"])
def test_replication_is_asked_for_as_the_server_knows_it(version: str) -> None:
    """MySQL of today, MySQL before 8.0.22 and MariaDB have three statements for the same."""
    table = (["Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master"], [["Yes", "Yes", "3"]])
    statements: dict[str, Mapping[str, Table | bytes]] = {
        "8.0.36": {"SHOW REPLICA STATUS": table},
        "5.7.44": {"SHOW REPLICA STATUS": error(1064, "You have an error"), "SHOW SLAVE STATUS": table},
        "10.11.6-MariaDB-0+deb12u1": {"SHOW ALL SLAVES STATUS": table},
    }
    greeting = sql_servers.GREETING.replace(b"8.0.36", version.encode())

    assert checked(mysql(statements[version], greeting=greeting), expect={"max_lag": "3s"}) == Passed("3 s behind")


ROW = {"Replica_IO_Running": "Yes", "Replica_SQL_Running": "Yes", "Seconds_Behind_Source": "0"}


def wanting(**keys: Any) -> Settings:
    """Settings with a login."""
    return Settings.model_validate({**LOGIN, **keys})


def test_lag_is_that_of_the_slowest_source() -> None:
    """A replica of several sources is as far behind as the worst of them."""
    assert lag([ROW, ROW | {"Seconds_Behind_Source": "17"}, ROW], wanting()) == 17


@pytest.mark.parametrize(
    ("rows", "detail"),
    [
        ([], "the server is not a replica"),
        ([ROW | {"Replica_IO_Running": "Connecting"}], "not replicating: IO thread Connecting, SQL thread Yes"),
        (
            [ROW, ROW | {"Replica_SQL_Running": "No", "Last_SQL_Errno": "1062", "Last_SQL_Error": "with a statement"}],
            "not replicating: IO thread Yes, SQL thread No: error 1062",
        ),
        (
            [ROW | {"Replica_IO_Running": "Connecting", "Last_IO_Error": "no way\nto hush-hush"}],
            "not replicating: IO thread Connecting, SQL thread Yes: no way to ***",
        ),
        ([ROW | {"Seconds_Behind_Source": None}], "not replicating: IO thread Yes, SQL thread Yes"),
        ([{}], "not replicating: IO thread None, SQL thread None"),
    ],
)
def test_server_that_does_not_replicate_fails(rows: list[dict[str, Any]], detail: str) -> None:
    """Both threads must run and the lag be known; errors are shown, without secrets."""
    with pytest.raises(CheckFailed) as raised:
        lag(rows, wanting())

    assert raised.value.result == Failed(FailureReason.CONTENT, detail)


def test_lag_above_the_limit_fails() -> None:
    """The limit itself passes, more does not."""
    table = ([*ROW], [["Yes", "Yes", "31"]])

    assert checked(mysql({"SHOW REPLICA STATUS": table}), expect={"max_lag": "30s"}) == Failed(
        FailureReason.CONTENT, "31 s behind, which is more than 30 s"
    )


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        ({}, "the server is not a Galera node"),
        ({"wsrep_local_state": "2", "wsrep_local_state_comment": "Donor/Desynced", "wsrep_ready": "ON"},
         "wsrep_local_state 2 (Donor/Desynced), wsrep_ready ON"),
        ({"wsrep_local_state": "4", "wsrep_local_state_comment": "Synced"},
         "wsrep_local_state 4 (Synced), wsrep_ready OFF"),
    ],
)  # fmt: skip
def test_galera_node_must_be_synced_and_ready(status: dict[str, str], detail: str) -> None:
    """A donor, a node that joins, and one without a primary component are no places for queries."""
    with pytest.raises(CheckFailed) as raised:
        galera([{"Variable_name": name, "Value": value} for name, value in status.items()])

    assert raised.value.result == Failed(FailureReason.CONTENT, detail)


def test_words_of_the_server_have_no_secret() -> None:
    """A server that repeats the password does not bring it into the log."""
    login = error(1045, "Access denied for 'monitor' with hush-hush")

    assert checked(mysql(login=login)) == Failed(FailureReason.STATUS, "1045: Access denied for 'monitor' with ***")


def test_error_instead_of_a_greeting_is_told() -> None:
    """Too many connections, or a host that is blocked, is said before the greeting."""
    blocked = b"\xff\x69\x04Host '10.0.0.1' is blocked because of many connection errors"

    assert checked(mysql(greeting=blocked)) == Failed(
        FailureReason.STATUS, "1129: Host '10.0.0.1' is blocked because of many connection errors"
    )


@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog"])
def test_password_is_never_sent_in_plain(plugin: str) -> None:
    """A server (or who stands between) that asks for the password itself does not get it without TLS."""
    seen: list[bytes] = []

    async def asking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4_096)
        writer.write(sql_servers.packet(b"\xfe" + plugin.encode() + b"\0\x04Password: ", sequence=2))
        seen.append(await reader.read(4_096))

    assert checked(then(asking)) == Failed(
        FailureReason.STATUS, "the server asks for the password in plain text: add a tls table"
    )
    assert seen == [b""]


def test_server_without_tls_fails_where_tls_is_asked_for() -> None:
    """A tls table is a demand, not a wish."""
    assert checked(mysql(), tls={}) == Failed(FailureReason.TLS, "the server does not offer TLS")


def test_file_of_tls_that_is_missing_is_our_fault() -> None:
    """Nothing is sent to a server then."""
    result = checked(mysql(), tls={"ca_file": "/nonexistent"})

    assert isinstance(result, Errored)
    assert result.reason is ErrorReason.FILE_MISSING


def test_server_that_hangs_up_is_told_with_what_was_awaited() -> None:
    """Which step was the last can be read."""

    async def leaving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4_096)

    assert checked(then(leaving)) == Failed(FailureReason.PROTOCOL, "the server has closed the connection: login")


@pytest.mark.parametrize(
    ("keys", "waiting_for"),
    [
        ({}, "an answer to a ping"),
        ({"query": "SELECT 1"}, "an answer to the query"),
        ({"expect": {"read_only": True}}, "read_only"),
        ({"expect": {"max_lag": "1s"}}, "the state of replication"),
        ({"expect": {"galera": True}}, "the state of the Galera node"),
    ],
)
def test_silence_is_told_with_what_was_awaited(keys: dict[str, Any], waiting_for: str) -> None:
    """Running out of time says at which step."""
    server = mysql({"": OK})  # a ping is not among the statements, but is known
    if not keys:
        server = then(_silent_after_login)

    assert checked(server, timeout_s=0.15, **keys) == Failed(
        FailureReason.READ_TIMEOUT, f"no answer within 0.15 s: waiting for {waiting_for}"
    )


async def _silent_after_login(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(4_096)
    writer.write(sql_servers.packet(OK, sequence=2))
    await reader.read(4_096)
    writer.write(sql_servers.packet(OK, sequence=1))
    await silent(reader, writer)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["greeting", "login", "answer"]))
@example(b"", "greeting")
@example(b"\x0a", "greeting")
@example(b"\x0a8", "greeting")
@example(b"\xff", "login")
@example(b"\xfb/etc/passwd", "answer")
@example(b"\xfc\xff\xff", "answer")
def test_garbage_in_packets_fails_and_raises_nothing(garbage: bytes, place: str) -> None:
    """Whatever is in a packet, there is a result with a reason; a file of ours is never asked for."""
    keys: dict[str, Any] = {"query": "SELECT 1", "timeout_s": 0.1}
    server = {
        "greeting": mysql(greeting=garbage),
        "login": mysql(login=garbage),
        "answer": mysql({"SELECT 1": garbage}),
    }[place]
    result = checked(server, **keys)

    assert isinstance(result, Failed), result


def test_packets_that_are_too_long_are_not_read() -> None:
    """Sixteen MiB are announced; nobody waits for them."""

    async def announcing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4_096)
        writer.write(LONGEST.to_bytes(3, "little") + b"\x02")
        await silent(reader, writer)

    assert checked(then(announcing)) == Failed(FailureReason.PROTOCOL, "the answer has more than 262144 bytes")


def test_hung_servers_give_everything_back() -> None:
    """Probes that run out of time after the greeting leave no thread and no socket, and are told apart from ours."""

    async def main() -> None:
        async with serving(then(silent)) as port, engine_running() as (engine, reports):
            engine.configure(
                [spec("mysql", name=str(number), port=port, timeout_s=0.2, **LOGIN) for number in range(20)]
            )
            results = [(await asyncio.wait_for(reports.get(), 30)).result for _ in range(20)]
        assert {type(result) for result in results} == {Failed}

    before = threads()
    run(main())
    held = descriptors()
    run(main())
    assert threads() == before
    assert descriptors() == held


def test_certificate_is_verified(certificates: Certificates) -> None:
    """A server that speaks TLS with a certificate of nobody's is refused before the login."""

    def told(**tls: Any) -> CheckResult:
        with sql_servers.encrypted(certificates.good.server_context(), login=error(1045, "no")) as port:
            return run(result_of(spec("mysql", port=port, timeout_s=2.0, tls=tls, **LOGIN)))

    assert told() == Failed(FailureReason.TLS, "certificate verify failed: self-signed certificate")
    not_after = certificates.good.not_after
    for accepted in ({"ca_file": str(certificates.good.path)}, {"verify": False}):
        assert told(**accepted) == Failed(FailureReason.STATUS, "1045: no", certificate_not_after=not_after)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "Field required"),
        ({"user": ""}, "at least 1 character"),
        ({"user": "a", "query": " "}, "must be a statement"),
        ({"user": "a", "query": "SELECT '\0'"}, "must be a statement"),
        ({"user": "a", "expect_regex": "x"}, "expect_regex needs query"),
        ({"user": "a", "query": "q", "expect_regex": "("}, "not a regular expression"),
        ({"user": "a", "expect": {"max_lag": 3}}, "must be a duration with its unit"),
        ({"user": "a", "expect": {"lag": "3s"}}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_refused(keys: dict[str, Any], message: str) -> None:
    """Every wrong value says what it must be."""
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(keys)

    assert message in str(raised.value)

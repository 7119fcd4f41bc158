from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lvs_agent.checks.kinds.pgsql.session import lag
from lvs_agent.checks.net.dialogue import CheckFailed
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from tests.checks.servers import Handler, descriptors, result_of, run, serving, silent, spec
from tests.checks.sql_servers import LOGGED_IN, after_startup, message, pgsql, refusal

LOGIN: dict[str, Any] = {"user": "monitor", "password": "hush-hush"}


def checked(handler: Handler, *, timeout_s: float = 2.0, **keys: Any) -> CheckResult:
    """What a check of this server says."""

    async def main() -> CheckResult:
        async with serving(handler) as port:
            return await result_of(spec("pgsql", port=port, timeout_s=timeout_s, **{**LOGIN, **keys}))

    return run(main())


@pytest.mark.parametrize(
    ("answer", "keys", "expected"),
    [
        ((["a"], [["1"]]), {}, Passed("the query returned a row")),
        ((["a"], [[None]]), {}, Passed("the query returned a row")),
        ((["a", "b"], [["up", "x"], ["down", "y"]]), {"expect_regex": "^up$"}, Passed("the query returned a row")),
        ((["a"], []), {}, Failed(FailureReason.CONTENT, "the query returned no row")),
        (
            (["a"], [[None]]),
            {"expect_regex": "."},
            Failed(FailureReason.CONTENT, "expect_regex does not match the first column of the query's first row"),
        ),
        (
            refusal("42501", "not for\nhush-hush", severity="ERROR"),
            {},
            Failed(FailureReason.STATUS, "42501: not for ***"),
        ),
    ],
)
def test_query_must_give_the_row(answer: Any, keys: dict[str, Any], expected: CheckResult) -> None:
    """A row passes, of any content unless a regular expression is given; NULL has no text."""
    assert checked(pgsql({"SELECT 1": answer}), query="SELECT 1", **keys) == expected


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        (refusal("53300", "too many clients"), Failed(FailureReason.STATUS, "too many clients")),
        (refusal("28P01", "hush-hush is wrong"), Failed(FailureReason.STATUS, "*** is wrong")),
        (
            refusal("28P01", "用户 认证失败", severity="致命错误"),
            Failed(FailureReason.STATUS, "致命错误:  用户 认证失败".replace("  ", " ")),
        ),
    ],
)
def test_refused_login_is_told_in_the_servers_words(login: bytes, expected: CheckResult) -> None:
    """Whatever language the server speaks, and without the password."""
    assert checked(pgsql(login=login)) == expected


def test_password_is_never_sent_in_plain() -> None:
    """A server that asks for the password itself does not get it without TLS."""
    result = checked(pgsql(login=message(b"R", b"\0\0\0\3")))

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.STATUS
    assert "cleartext" in result.detail


def test_server_without_tls_fails_where_tls_is_asked_for() -> None:
    """A tls table is a demand, not a wish."""
    result = checked(pgsql(), tls={"verify": False})

    assert result == Failed(FailureReason.TLS, "server does not support SSL, but SSL was required")


def test_file_of_tls_that_is_missing_is_our_fault() -> None:
    """Nothing is sent to a server then."""
    result = checked(pgsql(), tls={"ca_file": "/nonexistent"})

    assert isinstance(result, Errored)
    assert result.reason is ErrorReason.FILE_MISSING


@pytest.mark.parametrize(
    ("keys", "waiting_for"),
    [
        ({"query": "SELECT 1"}, "an answer to the query"),
        ({"expect": {"read_only": True}}, "read_only"),
        ({"expect": {"max_lag": "1s"}}, "the state of replication"),
    ],
)
def test_silence_is_told_with_what_was_awaited(keys: dict[str, Any], waiting_for: str) -> None:
    """Running out of time says at which step."""
    checked(pgsql())  # what is imported once takes its time once

    assert checked(pgsql(), timeout_s=0.15, **keys) == Failed(
        FailureReason.READ_TIMEOUT, f"no answer within 0.15 s: waiting for {waiting_for}"
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [((b"t", b"0"), 0.0), ((b"t", b"17.25"), 17.25), ((b"t", b"-0.5"), 0.0)],
)
def test_lag_is_what_the_standby_says(row: tuple[bytes, ...], expected: float) -> None:
    """Clocks that differ do not make it negative."""
    assert lag(row) == expected


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ((b"f", None), "the server is not a standby"),
        ((), "the server is not a standby"),
        ((b"t", None), "not replicating: no transaction has been replayed yet"),
        ((b"t", b"soon"), "not replicating: no transaction has been replayed yet"),
    ],
)
def test_server_that_does_not_replicate_fails(row: tuple[bytes | None, ...], detail: str) -> None:
    """A primary has no lag, and neither has a standby that has not begun."""
    with pytest.raises(CheckFailed) as raised:
        lag(row)

    assert raised.value.result == Failed(FailureReason.CONTENT, detail)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=100), st.sampled_from(["startup", "login", "answer"]))
@example(b"E\0\0\0\5\0", "login")
@example(b"R\0\0\0\x08\0\0\0\x0a", "login")
@example(b"D\0\0\0\4", "answer")
@example(b"T\0\0\0\x06\xff\xff", "answer")
def test_garbage_fails_and_raises_nothing(garbage: bytes, place: str) -> None:
    """Whatever comes, there is a result with a reason."""

    async def babbling(reader: Any, writer: Any) -> None:
        writer.write(garbage)
        await silent(reader, writer)

    server = {
        "startup": babbling,
        "login": after_startup(babbling),
        "answer": pgsql({"SELECT 1": garbage}),
    }[place]

    assert isinstance(checked(server, timeout_s=0.1, query="SELECT 1"), Failed)


def test_probes_that_run_out_of_time_leave_no_descriptor() -> None:
    """Neither while it connects nor in the middle of a statement."""
    servers = (after_startup(silent), pgsql(login=LOGGED_IN))
    for server in servers:
        checked(server, timeout_s=0.1, query="SELECT 1")
    before = descriptors()
    for server in servers:
        checked(server, timeout_s=0.1, query="SELECT 1")

    assert descriptors() == before

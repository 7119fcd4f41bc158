from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lvs_agent.checks.kinds.redis import Settings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks.servers import Handler, result_of, run, serving, spec
from tests.checks.text_servers import bulk, resp, saying

PONG = {"PING": b"+PONG\r\n"}
MASTER = bulk("# Replication\r\nrole:master\r\nconnected_slaves:1\r\n")
LINKED = bulk("# Replication\r\nrole:slave\r\nmaster_link_status:up\r\n")
UNLINKED = bulk("# Replication\r\nrole:slave\r\nmaster_link_status:down\r\n")


def checked(handler: Handler, **keys: Any) -> CheckResult:
    """The result of one check of a server."""

    async def main() -> CheckResult:
        async with serving(handler) as port:
            return await result_of(spec("redis", port=port, **keys))

    return run(main())


@pytest.mark.parametrize(
    ("answers", "keys", "expected"),
    [
        pytest.param(PONG, {}, Passed("PONG"), id="pong"),
        pytest.param(PONG | {"INFO": MASTER}, {"role": "master"}, Passed("PONG, master"), id="master"),
        pytest.param(PONG | {"INFO": UNLINKED}, {"role": "replica"}, Passed("PONG, replica"), id="replica"),
        pytest.param(
            PONG | {"INFO": LINKED}, {"role": "replica", "linked": True}, Passed("PONG, replica"), id="linked"
        ),
        pytest.param(
            PONG | {"INFO": UNLINKED},
            {"role": "replica", "linked": True},
            Failed(FailureReason.CONTENT, "its link to the master is down"),
            id="not linked",
        ),
        pytest.param(
            PONG | {"INFO": MASTER},
            {"role": "replica"},
            Failed(FailureReason.CONTENT, "its role is master, not replica"),
            id="not a replica",
        ),
        pytest.param(
            PONG | {"INFO": bulk("")},
            {"role": "master"},
            Failed(FailureReason.CONTENT, "its role is not reported, not master"),
            id="no role",
        ),
        pytest.param(
            {"PING": b"-LOADING Redis is loading the dataset in memory\r\n"},
            {},
            Failed(FailureReason.STATUS, "PING: LOADING Redis is loading the dataset in memory"),
            id="loading",
        ),
        pytest.param(
            {"AUTH": b"-WRONGPASS not hunter2\r\n"},
            {"password": "hunter2"},
            Failed(FailureReason.STATUS, "AUTH: WRONGPASS not ***"),
            id="password is not shown",
        ),
        pytest.param(
            PONG | {"INFO": b"$99999999\r\n"},
            {"role": "master"},
            Failed(FailureReason.PROTOCOL, "INFO: not an answer of Redis: $99999999"),
            id="too long",
        ),
        pytest.param(
            PONG | {"INFO": b"$-1\r\n"},
            {"role": "master"},
            Failed(FailureReason.PROTOCOL, "INFO: not an answer of Redis: $-1"),
            id="nothing",
        ),
    ],
)
def test_verdict(answers: dict[str, bytes], keys: dict[str, Any], expected: CheckResult) -> None:
    """What the server answers decides, with the reason and in words."""
    assert checked(resp(answers), **keys) == expected


def test_another_protocol_is_told() -> None:
    """The server that answers is none of Redis."""
    assert checked(saying(b"HTTP/1.1 400 Bad Request\r\n")) == Failed(
        FailureReason.PROTOCOL, "PING: not an answer of Redis: HTTP/1.1 400 Bad Request"
    )


@pytest.mark.parametrize(
    ("keys", "auth"),
    [
        ({"password": "p w\u00e9"}, ["AUTH", "p w\u00e9"]),
        ({"user": "monitor", "password": "x"}, ["AUTH", "monitor", "x"]),
    ],
)
def test_session_is_logged_in_and_ended(keys: dict[str, Any], auth: list[str]) -> None:
    """Every byte of a password arrives as it is, and the server sees an orderly end."""
    heard: list[list[str]] = []

    assert checked(resp(PONG | {"INFO": MASTER}, heard=heard), role="master", **keys) == Passed("PONG, master")
    assert heard == [auth, ["PING"], ["INFO", "replication"], ["QUIT"]]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"user": "x"}, "user needs password"),
        ({"linked": True}, 'linked needs role = "replica"'),
        ({"role": "slave"}, 'must be "master" or "replica"'),
    ],
)
def test_settings_that_make_no_sense_are_refused(keys: dict[str, Any], problem: str) -> None:
    """In one sentence."""
    with pytest.raises(ValidationError, match=problem):
        Settings(**keys)

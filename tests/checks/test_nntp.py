from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lvs_agent.checks.kinds.nntp import Settings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.servers import result_of, run, serving, spec
from tests.checks.text_servers import talking

LOGIN = {"user": "me", "password": "hunter2"}
GOOD = {
    "AUTHINFO USER ME": b"381 more\r\n",
    "AUTHINFO PASS HUNTER2": b"281 welcome\r\n",
    "GROUP LOCAL.TEST": b"211 3 1 3 local.test\r\n",
    "QUIT": b"205 bye\r\n",
}


def checked(
    answers: dict[str, bytes], *, greeting: bytes = b"200 ready\r\n", heard: list[str] | None = None, **keys: Any
) -> CheckResult:
    """The result of one check of a server."""

    async def main() -> CheckResult:
        async with serving(talking(answers, greeting=greeting, heard=heard)) as port:
            return await result_of(spec("nntp", port=port, **keys))

    return run(main())


@pytest.mark.parametrize(
    ("answers", "keys", "expected"),
    [
        pytest.param({}, {}, Passed("200 ready"), id="greeting"),
        pytest.param({}, {"greeting": b"201 no posting\r\n"}, Passed("201 no posting"), id="read only"),
        pytest.param({}, LOGIN | {"group": "local.test"}, Passed("211 3 1 3 local.test"), id="login and group"),
        pytest.param({"AUTHINFO USER": b"281 in\r\n"}, LOGIN, Passed("200 ready"), id="no password wanted"),
        pytest.param(
            {},
            {"greeting": b"502 no permission\r\n"},
            Failed(FailureReason.STATUS, "greeting: 502 no permission"),
            id="refused",
        ),
        pytest.param(
            {"AUTHINFO PASS": b"481 not with hunter2\r\n"},
            LOGIN,
            Failed(FailureReason.STATUS, "AUTHINFO PASS: 481 not with ***"),
            id="wrong password is not shown",
        ),
        pytest.param(
            {"AUTHINFO USER": b"502 no\r\n"},
            LOGIN,
            Failed(FailureReason.STATUS, "AUTHINFO USER: 502 no"),
            id="no login",
        ),
        pytest.param(
            {"GROUP": b"411 no such group\r\n"},
            {"group": "x"},
            Failed(FailureReason.STATUS, "GROUP: 411 no such group"),
            id="no group",
        ),
        pytest.param(
            {"STARTTLS": b"580 cannot\r\n"},
            {"starttls": True},
            Failed(FailureReason.STATUS, "STARTTLS: 580 cannot"),
            id="no STARTTLS",
        ),
        pytest.param(
            {},
            {"greeting": b"HTTP/1.1 200 OK\r\n"},
            Failed(FailureReason.PROTOCOL, "greeting: not a reply: HTTP/1.1 200 OK"),
            id="another protocol",
        ),
    ],
)
def test_verdict(answers: dict[str, bytes], keys: dict[str, Any], expected: CheckResult) -> None:
    """What the server answers decides, with the reason and in words."""
    first = {key: answer for key, answer in GOOD.items() if not any(key.startswith(start) for start in answers)}

    assert checked(answers | first, **keys) == expected


def test_session_is_logged_in_and_ended() -> None:
    """In this order, and with an orderly end."""
    heard: list[str] = []

    checked(GOOD, heard=heard, group="local.test", user="me", password="hunter2")

    assert heard == ["AUTHINFO USER me", "AUTHINFO PASS hunter2", "GROUP local.test", "QUIT"]


def test_tls_from_the_start_tells_the_certificates_end(certificates: Certificates) -> None:
    """A tls table without starttls."""

    async def main() -> CheckResult:
        handler = talking(GOOD, greeting=b"200 ready\r\n")
        async with serving(handler, tls=certificates.good.server_context()) as port:
            return await result_of(spec("nntp", port=port, tls={"ca_file": str(certificates.good.path)}))

    assert run(main()) == Passed("200 ready", certificates.good.not_after)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"user": "x"}, "user and password must be set together"),
        ({"password": "x"}, "user and password must be set together"),
        ({"user": "x", "password": "y\r\nDATA"}, "must be one line without control characters"),
        ({"group": "x\r\nQUIT"}, "must be one line without control characters"),
    ],
)
def test_settings_that_make_no_sense_are_refused(keys: dict[str, Any], problem: str) -> None:
    """Nothing can smuggle in a command."""
    with pytest.raises(ValidationError, match=problem):
        Settings(**keys)

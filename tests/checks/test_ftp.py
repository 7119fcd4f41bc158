from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lvs_agent.checks.kinds.ftp import Settings
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks import servers
from tests.checks.servers import result_of, run, serving, spec
from tests.checks.text_servers import saying, talking

LOGIN = {"USER": b"331 password\r\n", "PASS": b"230-hello\r\n there\r\n230 in\r\n"}
SESSION = LOGIN | {"CWD": b"250 there\r\n", "TYPE I": b"200 binary\r\n", "QUIT": b"221 bye\r\n"}
FILE = b"ready\n"


def checked(answers: dict[str, bytes], *, heard: list[str] | None = None, **keys: Any) -> CheckResult:
    """The result of one check of a server; its own answers come before those of a session that goes well."""

    async def main() -> CheckResult:
        async with serving(talking(answers | SESSION | answers, greeting=b"220 ready\r\n", heard=heard)) as port:
            return await result_of(spec("ftp", port=port, **keys))

    return run(main())


@asynccontextmanager
async def offering(
    file: bytes,
    *,
    passive: str = "229 here (|||{port}|)",
    end: bytes = b"226 done\r\n",
    address: str = "127.0.0.1",
    heard: list[str] | None = None,
) -> AsyncIterator[int]:
    """A server with one file; ``passive`` is its answer to EPSV (229) or PASV (227)."""

    async def transfer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for begin in range(0, len(file), 65_536):
            writer.write(file[begin : begin + 65_536])
            await writer.drain()

    async with serving(transfer, address=address) as data:
        answer = passive.format(port=data, high=data // 256, low=data % 256).encode() + b"\r\n"
        refusal = b"500 what?\r\n"
        answers = SESSION | {
            "EPSV": answer if passive.startswith("229") else refusal,
            "PASV": answer if passive.startswith("227") else refusal,
            "RETR": b"150 here it comes\r\n" + end,
        }
        async with serving(talking(answers, greeting=b"220 ready\r\n", heard=heard), address=address) as port:
            yield port


def fetched(*, address: str = "127.0.0.1", limit: str = "64KiB", regex: str = "^ready$", **offer: Any) -> CheckResult:
    """The result of a check that fetches the file."""

    async def main() -> CheckResult:
        async with offering(address=address, **offer) as port:
            keys: dict[str, Any] = {"path": "status.txt", "body_regex": regex, "body_limit": limit}
            return await result_of(spec("ftp", port=port, address=address, **keys))

    return run(main())


@pytest.mark.parametrize(
    ("answers", "keys", "expected"),
    [
        pytest.param({}, {}, Passed("logged in"), id="anonymous"),
        pytest.param({}, {"user": "me", "password": "x", "directory": "/pub"}, Passed("logged in"), id="user"),
        pytest.param({"USER": b"230 in\r\n"}, {}, Passed("logged in"), id="no password wanted"),
        pytest.param(
            {"PASS": b"530 not with hunter2\r\n"},
            {"user": "me", "password": "hunter2"},
            Failed(FailureReason.STATUS, "PASS: 530 not with ***"),
            id="wrong password is not shown",
        ),
        pytest.param({"USER": b"530 no\r\n"}, {}, Failed(FailureReason.STATUS, "USER: 530 no"), id="no login"),
        pytest.param(
            {"CWD": b"550 no such\r\n"},
            {"directory": "x"},
            Failed(FailureReason.STATUS, "CWD: 550 no such"),
            id="no directory",
        ),
        pytest.param(
            {"EPSV": b"500 what\r\n", "PASV": b"502 what\r\n"},
            {"path": "x"},
            Failed(FailureReason.STATUS, "PASV: 502 what"),
            id="no passive mode",
        ),
        pytest.param(
            {"EPSV": b"229 there (|||0|)\r\n"},
            {"path": "x"},
            Failed(FailureReason.PROTOCOL, "passive mode: no port in 229 there (|||0|)"),
            id="no port",
        ),
    ],
)
def test_verdict(answers: dict[str, bytes], keys: dict[str, Any], expected: CheckResult) -> None:
    """What the server answers decides, with the reason and in words."""
    assert checked(answers, **keys) == expected


@pytest.mark.parametrize("greeting", [b"421 too many users\r\n", b"120 soon\r\n"])
def test_greeting_that_is_no_welcome_fails(greeting: bytes) -> None:
    """The server answers, and serves nobody."""

    async def main() -> CheckResult:
        async with serving(saying(greeting)) as port:
            return await result_of(spec("ftp", port=port))

    assert run(main()) == Failed(FailureReason.STATUS, f"greeting: {greeting.decode().strip()}")


@pytest.mark.parametrize(
    ("offer", "expected"),
    [
        pytest.param({}, Passed("fetched 6 bytes"), id="EPSV"),
        pytest.param({"address": "::1"}, Passed("fetched 6 bytes"), id="IPv6"),
        pytest.param({"passive": "227 here (127,0,0,1,{high},{low})"}, Passed("fetched 6 bytes"), id="PASV"),
        pytest.param({"passive": "227 here =198,51,100,7,{high},{low}"}, Passed("fetched 6 bytes"), id="other address"),
        pytest.param(
            {"address": "::1", "passive": "227 here (127,0,0,1,{high},{low})"},
            Failed(FailureReason.STATUS, "EPSV: 500 what?"),
            id="no PASV over IPv6",
        ),
        pytest.param(
            {"file": b"busy\n"},
            Failed(FailureReason.CONTENT, "body_regex does not match in the 5 bytes of the file"),
            id="other content",
        ),
        pytest.param(
            {"end": b"451 disk broken\r\n"},
            Failed(FailureReason.STATUS, "end of the file: 451 disk broken"),
            id="broken off",
        ),
        pytest.param({"file": bytes(6), "limit": "5B", "regex": "^.{5}$"}, Passed("fetched 5 bytes"), id="limit"),
        pytest.param(
            {"file": bytes(3_000_000), "limit": "1KiB", "regex": "^\0{1024}$", "end": b"426 closed\r\n"},
            Passed("fetched 1024 bytes"),
            id="no more than wanted",
        ),
    ],
)
def test_file_is_fetched(offer: dict[str, Any], expected: CheckResult) -> None:
    """Over a data connection to the checked address, whatever address the server names."""
    assert fetched(**({"file": FILE} | offer)) == expected


def test_port_that_refuses_the_data_connection_is_told() -> None:
    """The reason is that of the data connection."""
    port = servers.unused_port()

    assert checked({"EPSV": f"229 here (|||{port}|)\r\n".encode()}, path="x") == Failed(
        FailureReason.REFUSED, "fetching the file: connection refused"
    )


def test_data_connection_never_leaves_the_checked_address() -> None:
    """A server that names somebody else's port is not followed there: that port hears nothing."""
    with socket.create_server(("127.0.0.2", 0)) as elsewhere:
        elsewhere.settimeout(0)
        port = elsewhere.getsockname()[1]
        answer = f"227 there (127,0,0,2,{port // 256},{port % 256})\r\n".encode()

        assert checked({"EPSV": b"500 what\r\n", "PASV": answer}, path="x") == Failed(
            FailureReason.REFUSED, "fetching the file: connection refused"
        )
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_session_goes_in_order() -> None:
    """With the password of nobody for anonymous, binary before passive, and an orderly end."""
    heard: list[str] = []

    async def main() -> CheckResult:
        async with offering(FILE, heard=heard) as port:
            return await result_of(spec("ftp", port=port, path="status.txt", directory="/pub"))

    assert run(main()) == Passed("fetched 6 bytes")
    assert heard == [
        "USER anonymous", "PASS lvs-agent@localhost", "CWD /pub", "TYPE I", "EPSV", "RETR status.txt", "QUIT",
    ]  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b" ")))
def test_any_answer_to_passive_mode_ends_in_a_failure(data: bytes) -> None:
    """Whatever is said instead of a port, the check fails and nothing is raised."""
    assert isinstance(checked({"EPSV": b"229 " + data + b"\r\n"}, path="x"), Failed)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"user": "me"}, "user needs password"),
        ({"body_regex": "x"}, "body_regex needs path"),
        ({"path": "x\r\nDELE y"}, "must be one line without control characters"),
        ({"directory": ""}, "at least 1 character"),
    ],
)
def test_settings_that_make_no_sense_are_refused(keys: dict[str, Any], problem: str) -> None:
    """Nothing can smuggle in a command."""
    with pytest.raises(ValidationError, match=problem):
        Settings(**keys)

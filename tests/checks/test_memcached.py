from __future__ import annotations

import pytest

from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed
from tests.checks.servers import result_of, run, serving, spec
from tests.checks.text_servers import talking


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"VERSION 1.6.18\r\n", Passed("version 1.6.18")),
        (b"ERROR\r\n", Failed(FailureReason.STATUS, "version: ERROR")),
        (
            b"CLIENT_ERROR unauthenticated\r\n",
            Failed(FailureReason.STATUS, "version: CLIENT_ERROR unauthenticated"),
        ),
        (b"VERSION\r\n", Failed(FailureReason.PROTOCOL, "version: not an answer of memcached: VERSION")),
        (b"500 What?\r\n", Failed(FailureReason.PROTOCOL, "version: not an answer of memcached: 500 What?")),
    ],
)
def test_verdict(answer: bytes, expected: CheckResult) -> None:
    """Only a server that tells its version passes."""

    async def main() -> CheckResult:
        async with serving(talking({"VERSION": answer}, end="QUIT")) as port:
            return await result_of(spec("memcached", port=port))

    assert run(main()) == expected

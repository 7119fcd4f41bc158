from __future__ import annotations

import errno

import pytest

from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.model.check import Errored, ErrorReason, Failed, FailureReason


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        pytest.param(errno.ECONNREFUSED, FailureReason.REFUSED, id="refused"),
        pytest.param(errno.EHOSTUNREACH, FailureReason.UNREACHABLE, id="a router or the neighbour table says so"),
        pytest.param(errno.EHOSTDOWN, FailureReason.UNREACHABLE, id="host down"),
        pytest.param(errno.ECONNRESET, FailureReason.PROTOCOL, id="reset"),
        pytest.param(errno.EPIPE, FailureReason.PROTOCOL, id="closed while we sent"),
        pytest.param(errno.ETIMEDOUT, FailureReason.CONNECT_TIMEOUT, id="the kernel gave up"),
    ],
)
def test_what_the_server_did_is_a_failure(number: int, reason: FailureReason) -> None:
    """An answer from the server or the way to it takes the server down."""
    result = outcome_of(OSError(number, "x"))

    assert isinstance(result, Failed)
    assert result.reason is reason


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        pytest.param(errno.ENETUNREACH, ErrorReason.NO_ROUTE, id="no route of ours"),
        pytest.param(errno.EMFILE, ErrorReason.NO_DESCRIPTORS, id="process is full"),
        pytest.param(errno.ENFILE, ErrorReason.NO_DESCRIPTORS, id="system is full"),
        pytest.param(errno.ENOBUFS, ErrorReason.NO_MEMORY, id="no buffers"),
        pytest.param(errno.EADDRNOTAVAIL, ErrorReason.NO_SOURCE_ADDRESS, id="out of ports"),
        pytest.param(errno.EPERM, ErrorReason.NOT_PERMITTED, id="own firewall"),
        pytest.param(errno.EINVAL, ErrorReason.INTERNAL, id="nobody expects this"),
    ],
)
def test_what_we_did_is_an_error(number: int, reason: ErrorReason) -> None:
    """A fault of our own never says anything about the server."""
    result = outcome_of(OSError(number, "x"))

    assert isinstance(result, Errored)
    assert result.reason is reason


def test_an_error_without_a_number_is_ours() -> None:
    """An OSError that carries a message alone keeps it."""
    assert outcome_of(OSError("odd")) == Errored(ErrorReason.INTERNAL, "odd")

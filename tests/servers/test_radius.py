from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lvs_agent.model.check import CheckReport, Failed, FailureReason, Passed
from lvs_agent.settings.scalars import Secret
from tests.checks.servers import report_of, run, spec
from tests.servers.daemons import needs
from tests.servers.freeradius import PASSWORD, SECRET, USER, FreeRadius, freeradius

pytestmark = needs("freeradius")

ENOUGH_S = 5.0
SHORT_S = 0.5
LATE_S = 0.3


@pytest.fixture(scope="module")
def server() -> Iterator[FreeRadius]:
    """FreeRADIUS, started once."""
    with freeradius() as found:
        yield found


def asked(
    server: FreeRadius,
    *,
    limit_s: float = ENOUGH_S,
    user: str = USER,
    password: str = PASSWORD,
    secret: str = SECRET,
    **settings: Any,
) -> CheckReport:
    """One check."""
    check = spec(
        "radius", port=server.port, timeout_s=limit_s, user=user, password=Secret(password), secret=Secret(secret),
        **settings,
    )  # fmt: skip
    return run(report_of(check))


def test_right_password_passes(server: FreeRadius) -> None:
    """It has several blocks, and letters beyond ASCII; the server takes only requests that are signed."""
    assert asked(server).result == Passed("Access-Accept: hello nemo")


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_address_of_the_director_can_be_told(server: FreeRadius, address: str) -> None:
    """The server takes the attribute of either family."""
    assert isinstance(asked(server, nas_address=address).result, Passed)


@pytest.mark.parametrize("settings", [{"password": "wrong"}, {"user": "nobody"}, {"password": ""}])
def test_wrong_credentials_fail(server: FreeRadius, settings: dict[str, Any]) -> None:
    """Unless it is enough that the server answers."""
    result = asked(server, **settings).result

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.STATUS
    assert result.detail.startswith("Access-Reject")
    assert isinstance(asked(server, accept_reject=True, **settings).result, Passed)


def test_wrong_secret_is_not_answered(server: FreeRadius) -> None:
    """The server drops what is signed with another secret, and says so in its log only."""
    report = asked(server, secret="other", limit_s=SHORT_S)

    assert report.result == Failed(FailureReason.READ_TIMEOUT, "no answer within 0.5 s: waiting for an answer")
    assert "Message-Authenticator" in server.daemon.output


def test_hung_server_fails_by_the_deadline(server: FreeRadius) -> None:
    """The kernel takes what comes, and nobody answers."""
    with server.daemon.hung():
        report = asked(server, limit_s=SHORT_S)

    assert report.result == Failed(FailureReason.READ_TIMEOUT, "no answer within 0.5 s: waiting for an answer")
    assert report.duration_s < SHORT_S + LATE_S


def test_stopped_server_is_refused(server: FreeRadius) -> None:
    """At once."""
    with server.daemon.stopped():
        report = asked(server)

    assert report.result == Failed(FailureReason.REFUSED, "connection refused")

"""What becomes of negotiate checks with mail servers."""

from __future__ import annotations

from typing import Any

import pytest

from lvs_agent.ldirectord.reader.services import PORTS
from tests.ldirectord.reader.test_checks import check
from tests.ldirectord.reader.test_servers import told

LOGIN = ['login="check"', 'passwd="se cret"']
NO_TLS_CHECK = {"tls": {"verify": False}}


def made(service: str, *directives: str) -> dict[str, Any]:
    """The check of a service on its usual port."""
    port = PORTS[service]
    return check(*directives, virtual=f"203.0.113.1:{port}", real=f"192.0.2.1:{port} masq")


@pytest.mark.parametrize(
    ("service", "directives", "keys"),
    [
        ("smtp", LOGIN, {}),
        ("submission", LOGIN, {}),
        ("imap", [], {}),
        ("imap", LOGIN, {"user": "check", "password": "se cret", "allow_plain": True}),
        ("imap", LOGIN[:1], {"user": "check", "password": "", "allow_plain": True}),
        ("imap", LOGIN[1:], {}),
        ("imaps", [], NO_TLS_CHECK),
        ("imaps", LOGIN, NO_TLS_CHECK | {"user": "check", "password": "se cret"}),
        ("pop", [], {}),
        ("pop", LOGIN, {"user": "check", "password": "se cret", "allow_plain": True}),
        ("pops", LOGIN, NO_TLS_CHECK | {"user": "check", "password": "se cret"}),
        ("pops", ["checkport=1995"], NO_TLS_CHECK | {"port": 1995}),
        ("smtp", ["checktype=3"], {"connects_between": 3}),
    ],
)
def test_check_of_mail_servers(service: str, directives: list[str], keys: dict[str, Any]) -> None:
    """As ldirectord means it, with a login where there is one."""
    assert made(service, *directives) == {"type": service, "timeout": "30s", **keys}


ALWAYS_UP = (
    "warning line 3: service=pop has no login: the server must greet and answer CAPA; ldirectord takes it for up, even"
    " if nobody listens"
)
UNVERIFIED = (
    "warning line 3: imaps is checked without verifying the certificate, as ldirectord does with most versions of its"
    " library; to verify it, convert the file (lvs-agent convert) and delete verify = false there"
)


@pytest.mark.parametrize(
    ("service", "directives", "expected"),
    [
        ("pop", [], [ALWAYS_UP]),
        ("pop", LOGIN, []),
        ("imap", [], []),
        ("smtp", [], []),
        ("imaps", [], [UNVERIFIED]),
    ],
)
def test_what_is_told(service: str, directives: list[str], expected: list[str]) -> None:
    """Where ldirectord looks less closely, or as little."""
    port = PORTS[service]
    lines = "".join(f"\t{each}\n" for each in [f"service={service}", *directives])

    assert told(f"virtual=203.0.113.1:{port}\n\treal=192.0.2.1:{port} masq\n{lines}") == expected

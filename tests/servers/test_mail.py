from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from lvs_agent.model.check import CheckReport, CheckResult, Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.servers import report_of, run, spec
from tests.servers.daemons import Daemon, needs, until
from tests.servers.dovecot import ELSEWHERE, PASSWORD, USER, Dovecot, dovecot
from tests.servers.postfix import Postfix, postfix

pytestmark = needs("postfix", "dovecot-imapd", "dovecot-pop3d")

KINDS = ("smtp", "submission", "imap", "imaps", "pop", "pops")
WITH_LOGIN = ("submission", "imap", "imaps", "pop", "pops")
ENCRYPTED = ("imaps", "pops")
ENOUGH_S = 5.0
"""More than any answer takes on a busy machine; a refused login takes Dovecot half a second."""
SHORT_S = 0.5
LATE_S = 0.3
"""How much later than its deadline a result may come on a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Both servers, and how their certificate is verified."""

    dovecot: Dovecot
    postfix: Postfix
    tls: dict[str, Any]
    expiry: float

    def report(self, kind: str, *, timeout_s: float = ENOUGH_S, **settings: Any) -> CheckReport:
        """One check, over TLS where it can be and nothing else is said."""
        if kind in ENCRYPTED:
            settings = {"tls": self.tls, **settings}
        elif kind != "smtp" and settings.get("starttls") != "off":
            settings = {"starttls": "required", "tls": self.tls, **settings}
        port = (self.dovecot.ports | self.postfix.ports)[settings.pop("port_of", kind)]
        return run(report_of(spec(kind, port=port, timeout_s=timeout_s, **settings)))

    def checked(self, kind: str, **settings: Any) -> CheckResult:
        """Its result."""
        return self.report(kind, **settings).result

    def daemon(self, kind: str) -> Daemon:
        """The one that serves ``kind``."""
        return self.postfix.daemon if kind in self.postfix.ports else self.dovecot.daemon


@pytest.fixture(scope="module")
def mail(certificates: Certificates) -> Iterator[Mail]:
    """Dovecot and Postfix, started once."""
    good = certificates.good
    with ExitStack() as stack:
        imap = stack.enter_context(dovecot(good.path))
        smtp = stack.enter_context(postfix(good.path, sasl=imap.sasl))
        yield Mail(dovecot=imap, postfix=smtp, tls={"ca_file": str(good.path)}, expiry=good.not_after)


@pytest.mark.parametrize("kind", KINDS)
def test_working_server_passes(mail: Mail, kind: str) -> None:
    """Without a login; where TLS is spoken, the certificate's expiry is reported."""
    said = "250 mail.example.com" if kind in mail.postfix.ports else "ready"

    assert mail.checked(kind) == Passed(said, None if kind == "smtp" else mail.expiry)


@pytest.mark.parametrize("kind", WITH_LOGIN)
def test_right_password_passes(mail: Mail, kind: str) -> None:
    """A user and a password with letters beyond ASCII, a blank, a quote and a backslash."""
    said = "250 mail.example.com, logged in" if kind in mail.postfix.ports else "logged in"

    assert mail.checked(kind, user=USER, password=PASSWORD) == Passed(said, mail.expiry)


@pytest.mark.parametrize("kind", WITH_LOGIN)
def test_wrong_password_fails(mail: Mail, kind: str) -> None:
    """In the server's words."""
    result = mail.checked(kind, user=USER, password="wrong-word")

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.STATUS
    assert "authentication failed" in result.detail.lower()
    assert "wrong-word" not in result.detail
    assert result.certificate_not_after == mail.expiry


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("imap", "answer to CAPABILITY: LOGINDISABLED, this connection allows no login"),
        ("pop", "answer to USER: -ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections."),
        ("submission", "answer to EHLO: neither AUTH PLAIN nor AUTH LOGIN is offered"),
    ],
)
def test_server_that_wants_tls_refuses_a_login_without(mail: Mail, kind: str, detail: str) -> None:
    """The check says what the server says, even where sending the password in the clear was allowed."""
    where = {} if kind == "submission" else {"address": ELSEWHERE}
    result = mail.checked(kind, starttls="off", allow_plain=True, user=USER, password=PASSWORD, **where)

    assert isinstance(result, Failed)
    assert result.detail == detail


@pytest.mark.parametrize(
    ("kind", "capability", "passes"),
    [
        ("submission", "AUTH PLAIN", True),
        ("imaps", "AUTH=LOGIN", True),
        ("pops", "SASL PLAIN", True),
        ("smtp", "STARTTLS", False),
        ("imap", "STARTTLS", False),
        ("pop", "STLS", False),
    ],
)
def test_wanted_capability(mail: Mail, kind: str, capability: str, *, passes: bool) -> None:
    """What counts is said under TLS, where STARTTLS is not offered again."""
    result = mail.checked(kind, capability=capability)

    assert (result.reason if isinstance(result, Failed) else None) is (None if passes else FailureReason.CONTENT)


@pytest.mark.parametrize(
    ("kind", "other", "reason"),
    [
        ("smtp", "pop", FailureReason.PROTOCOL),
        ("imap", "smtp", FailureReason.PROTOCOL),
        ("pop", "imap", FailureReason.PROTOCOL),
        ("imaps", "pops", FailureReason.PROTOCOL),
        ("pops", "imap", FailureReason.TLS),
    ],
)
def test_server_of_another_protocol_fails(mail: Mail, kind: str, other: str, reason: FailureReason) -> None:
    """The port is open, but another program answers."""
    result = mail.checked(kind, port_of=other)

    assert isinstance(result, Failed)
    assert result.reason is reason


@pytest.mark.parametrize("kind", KINDS[1:])
def test_untrusted_certificate_fails(mail: Mail, kind: str) -> None:
    """Verification is on by default."""
    assert mail.checked(kind, tls={}) == Failed(FailureReason.TLS, "certificate verify failed: self-signed certificate")


@pytest.mark.parametrize("kind", ["imap", "pops"])
def test_ipv6(mail: Mail, kind: str) -> None:
    """The same over IPv6."""
    assert isinstance(mail.checked(kind, address="::1", tls={**mail.tls, "server_name": "www.example.com"}), Passed)


def trouble(how: Callable[[Daemon], AbstractContextManager[None]], *daemons: Daemon) -> ExitStack:
    """All of ``daemons`` in this trouble for a while."""
    with ExitStack() as stack:
        for daemon in daemons:
            stack.enter_context(how(daemon))
        return stack.pop_all()


def test_hung_servers_fail_by_the_deadline(mail: Mail) -> None:
    """The kernel still accepts for them, but nobody answers."""
    with trouble(Daemon.hung, mail.postfix.daemon, mail.dovecot.daemon):
        reports = {kind: mail.report(kind, timeout_s=SHORT_S) for kind in KINDS}

    for kind, report in reports.items():
        waited_for = "TLS handshake" if kind in ENCRYPTED else "banner"
        detail = f"no answer within {SHORT_S:g} s: waiting for {waited_for}"
        assert report.result == Failed(FailureReason.READ_TIMEOUT, detail), kind
        assert report.duration_s <= SHORT_S + LATE_S, kind
    assert isinstance(mail.checked("imap"), Passed)


def test_stopped_servers_fail_at_once(mail: Mail) -> None:
    """Nobody listens."""
    with trouble(Daemon.stopped, mail.postfix.daemon, mail.dovecot.daemon):
        results = {kind: mail.checked(kind) for kind in KINDS}

    assert results == dict.fromkeys(KINDS, Failed(FailureReason.REFUSED, "connection refused"))
    assert isinstance(mail.checked("smtp"), Passed)


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("smtp", "ehlo=1 quit=1 commands=2"),
        ("submission", "ehlo=2 starttls=1 auth=1 quit=1 commands=5"),
        ("imap", "deleted=0 expunged=0"),
        ("pop", "Logged out top=0/0, retr=0/0, del=0/0"),
    ],
)
def test_server_sees_an_orderly_end(mail: Mail, kind: str, seen: str) -> None:
    """Its log does not fill with lost connections, and nothing was touched."""
    login = {} if kind == "smtp" else {"user": USER, "password": PASSWORD}
    server = mail.postfix if kind in mail.postfix.ports else mail.dovecot
    before = len(server.log)

    assert isinstance(mail.checked(kind, **login), Passed)
    until(lambda: seen in server.log[before:], what=seen, within_s=5)

from __future__ import annotations

from typing import Any

import pytest

from lvs_agent.checks.kinds import checkers
from lvs_agent.model.check import Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.mail_servers import Script, ThenTls, checked

BANNER = "+OK ready <1896.697170952@mail.example.com>"
CAPA = "+OK\nUSER\nSASL PLAIN LOGIN\nSTLS\n."
LOGIN: dict[str, Any] = {"user": "check", "password": "pass word", "allow_plain": True}


def test_ready_server_passes() -> None:
    """Banner, CAPA, QUIT."""
    script = Script(BANNER, CAPA, "+OK bye")

    assert checked("pop", script) == Passed("ready")
    assert script.heard == ["CAPA", "QUIT"]


@pytest.mark.parametrize(("kind", "port"), [("pop", 110), ("pops", 995)])
def test_default_port(kind: str, port: int) -> None:
    """The one that is registered."""
    assert checkers()[kind].settings.default_port == port


def test_server_that_knows_no_capa_passes() -> None:
    """CAPA is an extension; whoever wants a capability must get it."""
    assert checked("pop", Script(BANNER, "-ERR what?", "+OK bye")) == Passed("ready")
    assert checked("pop", Script(BANNER, "-ERR what?"), capability="SASL") == Failed(
        FailureReason.CONTENT, "answer to CAPA: SASL is not offered"
    )


@pytest.mark.parametrize(("wanted", "passes"), [("sasl login", True), ("STLS", True), ("TOP", False)])
def test_wanted_capability(wanted: str, *, passes: bool) -> None:
    """A keyword, with words behind it or without."""
    missing = Failed(FailureReason.CONTENT, f"answer to CAPA: {wanted} is not offered")

    assert checked("pop", Script(BANNER, CAPA, "+OK"), capability=wanted) == (Passed("ready") if passes else missing)


def test_login_looks_into_the_mailbox() -> None:
    """USER, PASS and STAT; nothing is read or deleted."""
    script = Script(BANNER, CAPA, "+OK", "+OK welcome", "+OK 2 320", "+OK bye")

    assert checked("pop", script, **LOGIN) == Passed("logged in")
    assert script.heard == ["CAPA", "USER check", "PASS pass word", "STAT", "QUIT"]


def test_mailbox_in_use_passes() -> None:
    """Another director is in it at the moment: the login was right (RFC 2449, 8.1.2)."""
    script = Script(BANNER, CAPA, "+OK", "-ERR [in-use] locked", "+OK bye")

    assert checked("pop", script, **LOGIN) == Passed("logged in, mailbox in use")
    assert script.heard[-1] == "QUIT"


@pytest.mark.parametrize(
    ("script", "reason", "detail"),
    [
        (["-ERR busy"], FailureReason.STATUS, "banner: -ERR busy"),
        (["220 SMTP"], FailureReason.PROTOCOL, "banner: not a reply: 220 SMTP"),
        (["+OKAY"], FailureReason.PROTOCOL, "banner: not a reply: +OKAY"),
        ([""], FailureReason.PROTOCOL, "banner: not a reply: an empty line"),
        ([BANNER], FailureReason.PROTOCOL, "answer to CAPA: the server has closed the connection"),
        ([BANNER, "+OK\nUSER"], FailureReason.PROTOCOL, "answer to CAPA: the server has closed the connection"),
        ([BANNER, CAPA, "-ERR you?"], FailureReason.STATUS, "answer to USER: -ERR you?"),
        ([BANNER, CAPA, "+OK", "-ERR no"], FailureReason.STATUS, "answer to PASS: -ERR no"),
        ([BANNER, CAPA, "+OK", "-ERR PASS pass word?"], FailureReason.STATUS, "answer to PASS: -ERR PASS ***?"),
        ([BANNER, CAPA, "+OK", "no pass word"], FailureReason.PROTOCOL, "answer to PASS: not a reply: no ***"),
        ([BANNER, CAPA, "+OK", "+OK", "-ERR disk"], FailureReason.STATUS, "answer to STAT: -ERR disk"),
    ],
)
def test_refusing_server_fails_with_its_words(script: list[str], reason: FailureReason, detail: str) -> None:
    """Each step may be refused; the password is never told."""
    assert checked("pop", Script(*script), **LOGIN) == Failed(reason, detail)


def test_stls_starts_anew(certificates: Certificates) -> None:
    """What the server said before TLS does not count, and the certificate's expiry is reported."""
    good = certificates.good
    script = Script(BANNER, CAPA, ThenTls("+OK"), "+OK\nTOP\n.", "+OK bye", certificate=good)
    settings: dict[str, Any] = {"starttls": "required", "tls": {"ca_file": str(good.path)}, "capability": "TOP"}

    assert checked("pop", script, **settings) == Passed("ready", good.not_after)
    assert script.heard == ["CAPA", "STLS", "CAPA", "QUIT"]


@pytest.mark.parametrize(
    ("answers", "reason", "detail"),
    [
        (["+OK\nUSER\n."], FailureReason.CONTENT, "answer to CAPA: STLS is not offered"),
        (["-ERR", "-ERR what?"], FailureReason.STATUS, "answer to STLS: -ERR what?"),
    ],
)
def test_server_without_tls_fails_where_it_is_required(answers: list[str], reason: FailureReason, detail: str) -> None:
    """Nobody goes on in the clear."""
    assert checked("pop", Script(BANNER, *answers), starttls="required", **LOGIN) == Failed(reason, detail)


def test_pops_speaks_tls_from_the_start(certificates: Certificates) -> None:
    """And may log in without being told that it is safe."""
    good = certificates.good
    script = Script(BANNER, CAPA, "+OK", "+OK", "+OK 0 0", "+OK bye")
    settings: dict[str, Any] = {"user": "check", "password": "x", "tls": {"ca_file": str(good.path)}}

    assert checked("pops", script, encrypted_by=good, **settings) == Passed("logged in", good.not_after)
    assert script.heard == ["CAPA", "USER check", "PASS x", "STAT", "QUIT"]


def test_pops_verifies_the_certificate(certificates: Certificates) -> None:
    """Unless told otherwise."""
    assert checked("pops", Script(BANNER), encrypted_by=certificates.good) == Failed(
        FailureReason.TLS, "certificate verify failed: self-signed certificate"
    )

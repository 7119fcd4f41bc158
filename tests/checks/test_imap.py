from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.checks.kinds import checkers
from lvs_agent.checks.kinds.imap.session import quoted
from lvs_agent.model.check import Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.mail_servers import Script, ThenTls, checked

BANNER = "* OK IMAP4rev1 ready"
CAPABILITY = "* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\na1 OK done"
LOGIN: dict[str, Any] = {"user": "check", "password": 'pass "w\\ord', "allow_plain": True}


@pytest.mark.parametrize("banner", [BANNER, "* PREAUTH you are known", "* ok"])
def test_ready_server_passes(banner: str) -> None:
    """Banner, CAPABILITY, NOOP, LOGOUT; no mailbox is opened and nothing expunged."""
    script = Script(banner, CAPABILITY, "* 1 EXISTS\na2 OK", "* BYE\nz OK")

    assert checked("imap", script) == Passed("ready")
    assert script.heard == ["a1 CAPABILITY", "a2 NOOP", "z LOGOUT"]


@pytest.mark.parametrize(("kind", "port"), [("imap", 143), ("imaps", 993)])
def test_default_port(kind: str, port: int) -> None:
    """The one that is registered."""
    assert checkers()[kind].settings.default_port == port


@pytest.mark.parametrize(("wanted", "passes"), [("auth=plain", True), ("IMAP4rev1", True), ("IDLE", False)])
def test_wanted_capability(wanted: str, *, passes: bool) -> None:
    """One of the words behind CAPABILITY."""
    missing = Failed(FailureReason.CONTENT, f"answer to CAPABILITY: {wanted} is not offered")
    script = Script(BANNER, CAPABILITY, "a2 OK", "* BYE")

    assert checked("imap", script, capability=wanted) == (Passed("ready") if passes else missing)


@pytest.mark.parametrize(
    ("user", "password", "answers", "told"),
    [
        ("check", 'pass "w\\ord', ["a2 OK"], ['a2 LOGIN "check" "pass \\"w\\\\ord"']),
        ("check", "", ["a2 OK"], ['a2 LOGIN "check" ""']),
        ("jürgen", "x", ["+ go on", "a2 OK"], ["a2 LOGIN {7}", 'jürgen "x"']),
        ("x", "pä", ["* 1 EXISTS\n+", "a2 OK"], ['a2 LOGIN "x" {3}', "pä"]),
        ("ü", "ä", ["+", "+", "a2 OK"], ["a2 LOGIN {2}", "ü {2}", "ä"]),
    ],
)
def test_login(user: str, password: str, answers: list[str], told: list[str]) -> None:
    """What is ASCII goes in quotes, everything else in literals, of which the length counts bytes."""
    script = Script(BANNER, CAPABILITY, *answers, "a3 OK", "* BYE")

    assert checked("imap", script, user=user, password=password, allow_plain=True) == Passed("logged in")
    assert script.heard == ["a1 CAPABILITY", *told, "a3 NOOP", "z LOGOUT"]


@given(st.text(st.characters(min_codepoint=1, max_codepoint=127, exclude_characters="\r\n")))
def test_quoted_text_can_be_read_back(text: str) -> None:
    """As RFC 3501 reads it: a backslash stands before a quote or another backslash only."""
    inner = iter(quoted(text)[1:-1])
    read = "".join(next(inner) if letter == "\\" else letter for letter in inner)

    assert read == text
    assert quoted(text)[0] == quoted(text)[-1] == '"'


def test_literals_in_answers_are_read_over() -> None:
    """What looks like the end of the answer inside a literal is none."""
    script = Script(BANNER, "* X {9}\na1 NO x\n tail {2}\nabc\n* CAPABILITY IDLE\na1 OK", "a2 OK", "* BYE")

    assert checked("imap", script, capability="IDLE") == Passed("ready")


@pytest.mark.parametrize(
    ("script", "reason", "detail"),
    [
        (["* BYE too many"], FailureReason.STATUS, "banner: * BYE too many"),
        (["* NO"], FailureReason.PROTOCOL, "banner: not a reply: * NO"),
        (["220 SMTP"], FailureReason.PROTOCOL, "banner: not a reply: 220 SMTP"),
        ([""], FailureReason.PROTOCOL, "banner: not a reply: an empty line"),
        ([BANNER], FailureReason.PROTOCOL, "answer to CAPABILITY: the server has closed the connection"),
        ([BANNER, "a1 BAD what?"], FailureReason.STATUS, "answer to CAPABILITY: BAD what?"),
        ([BANNER, "* BYE now"], FailureReason.STATUS, "answer to CAPABILITY: * BYE now"),
        ([BANNER, "a7 OK"], FailureReason.PROTOCOL, "answer to CAPABILITY: not a reply: a7 OK"),
        ([BANNER, "+ go on"], FailureReason.PROTOCOL, "answer to CAPABILITY: not a reply: + go on"),
        (
            [BANNER, "* X {999999999}\nabc"],
            FailureReason.PROTOCOL,
            "answer to CAPABILITY: the server has closed the connection",
        ),
        ([BANNER, CAPABILITY, "a2 NO [AUTH] no"], FailureReason.STATUS, "answer to LOGIN: NO [AUTH] no"),
        (
            [BANNER, CAPABILITY, 'a2 BAD LOGIN "pass \\"w\\\\ord"? pass "w\\ord?'],
            FailureReason.STATUS,
            "answer to LOGIN: BAD LOGIN ***? ***?",
        ),
        ([BANNER, CAPABILITY, "a2 OK", "a3 NO disk"], FailureReason.STATUS, "answer to NOOP: NO disk"),
        (
            [BANNER, "* CAPABILITY LOGINDISABLED\na1 OK"],
            FailureReason.STATUS,
            "answer to CAPABILITY: LOGINDISABLED, this connection allows no login",
        ),
    ],
)
def test_refusing_server_fails_with_its_words(script: list[str], reason: FailureReason, detail: str) -> None:
    """Each step may be refused; the password is never told."""
    assert checked("imap", Script(*script), **LOGIN) == Failed(reason, detail)


def test_refused_literal_ends_the_login() -> None:
    """The password is not sent to who does not want it."""
    script = Script(BANNER, CAPABILITY, "a2 BAD no literals")
    settings: dict[str, Any] = {"user": "check", "password": "pä", "allow_plain": True}

    assert checked("imap", script, **settings) == Failed(FailureReason.STATUS, "answer to LOGIN: BAD no literals")


def test_starttls_starts_anew(certificates: Certificates) -> None:
    """What the server said before TLS does not count, and the certificate's expiry is reported."""
    good = certificates.good
    under_tls = "* CAPABILITY IDLE\na3 OK"
    script = Script(BANNER, CAPABILITY, ThenTls("a2 OK"), under_tls, "a4 OK", "* BYE", certificate=good)
    settings: dict[str, Any] = {"starttls": "required", "tls": {"ca_file": str(good.path)}, "capability": "IDLE"}

    assert checked("imap", script, **settings) == Passed("ready", good.not_after)
    assert script.heard == ["a1 CAPABILITY", "a2 STARTTLS", "a3 CAPABILITY", "a4 NOOP", "z LOGOUT"]


@pytest.mark.parametrize(
    ("answers", "reason", "detail"),
    [
        (["* CAPABILITY X\na1 OK"], FailureReason.CONTENT, "answer to CAPABILITY: STARTTLS is not offered"),
        ([CAPABILITY, "a2 NO key"], FailureReason.STATUS, "answer to STARTTLS: NO key"),
    ],
)
def test_server_without_tls_fails_where_it_is_required(answers: list[str], reason: FailureReason, detail: str) -> None:
    """Nobody goes on in the clear."""
    assert checked("imap", Script(BANNER, *answers), starttls="required", **LOGIN) == Failed(reason, detail)


def test_imaps_speaks_tls_from_the_start(certificates: Certificates) -> None:
    """And may log in without being told that it is safe."""
    good = certificates.good
    script = Script(BANNER, CAPABILITY, "a2 OK", "a3 OK", "* BYE")
    settings: dict[str, Any] = {"user": "check", "password": "x", "tls": {"ca_file": str(good.path)}}

    assert checked("imaps", script, encrypted_by=good, **settings) == Passed("logged in", good.not_after)
    assert script.heard == ["a1 CAPABILITY", 'a2 LOGIN "check" "x"', "a3 NOOP", "z LOGOUT"]


def test_imaps_verifies_the_certificate(certificates: Certificates) -> None:
    """Unless told otherwise."""
    assert checked("imaps", Script(BANNER), encrypted_by=certificates.good) == Failed(
        FailureReason.TLS, "certificate verify failed: self-signed certificate"
    )

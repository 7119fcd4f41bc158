from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from pydantic import ValidationError

from lvs_agent.checks.kinds import checkers
from lvs_agent.model.check import Failed, FailureReason, Passed
from tests.checks.conftest import Certificates
from tests.checks.mail_servers import Script, ThenTls, checked

BANNER = "220 mail.example.com ESMTP"
HELLO = "EHLO localhost.localdomain"
BYE = "221 bye"
LOGIN: dict[str, Any] = {"user": "check", "password": "pässword", "allow_plain": True}
PLAIN = b64encode("\0check\0pässword".encode()).decode()
USER = b64encode(b"check").decode()
PASSWORD = b64encode("pässword".encode()).decode()


@pytest.mark.parametrize("kind", ["smtp", "submission"])
def test_greeted_server_passes(kind: str) -> None:
    """Banner, EHLO, QUIT, and no mail; the server is called by its own name."""
    script = Script(BANNER, "250-mail.example.com hello\n250 SIZE 1000", BYE)

    assert checked(kind, script) == Passed("250 mail.example.com hello")
    assert script.heard == [HELLO, "QUIT"]


@pytest.mark.parametrize(("kind", "port"), [("smtp", 25), ("submission", 587)])
def test_default_port(kind: str, port: int) -> None:
    """The one that is registered."""
    assert checkers()[kind].settings.default_port == port


def test_old_server_is_greeted_with_helo() -> None:
    """A server that refuses EHLO gets HELO, under the name that is configured."""
    script = Script(BANNER, "502 what?", "250 mail.example.com", BYE)

    assert checked("smtp", script, helo="[192.0.2.1]") == Passed("250 mail.example.com")
    assert script.heard == ["EHLO [192.0.2.1]", "HELO [192.0.2.1]", "QUIT"]


@pytest.mark.parametrize(
    ("script", "reason", "detail"),
    [
        (["554 no service"], FailureReason.STATUS, "banner: 554 no service"),
        (["421 busy"], FailureReason.STATUS, "banner: 421 busy"),
        (["250 hello"], FailureReason.STATUS, "banner: 250 hello"),
        (["+OK POP3"], FailureReason.PROTOCOL, "banner: not a reply: +OK POP3"),
        ([BANNER, "421 closing"], FailureReason.STATUS, "answer to EHLO: 421 closing"),
        ([BANNER, "220 twice"], FailureReason.STATUS, "answer to EHLO: 220 twice"),
        ([BANNER, "500 no", "550 not you"], FailureReason.STATUS, "answer to HELO: 550 not you"),
        ([BANNER, "500 no"], FailureReason.PROTOCOL, "answer to HELO: the server has closed the connection"),
        ([BANNER], FailureReason.PROTOCOL, "answer to EHLO: the server has closed the connection"),
    ],
)
def test_refusing_server_fails_with_its_words(script: list[str], reason: FailureReason, detail: str) -> None:
    """Each step may be refused."""
    assert checked("smtp", Script(*script)) == Failed(reason, detail)


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        ("size", True),
        ("SIZE 1000", True),
        ("AUTH LOGIN", True),
        ("AUTH CRAM-MD5", False),
        ("SIZE 2000", False),
        ("SI", False),
        ("mail.example.com", False),
    ],
)
def test_wanted_capability(wanted: str, *, passes: bool) -> None:
    """A keyword, with words behind it or without."""
    script = Script(BANNER, "250-mail.example.com\n250-AUTH PLAIN LOGIN\n250 SIZE 1000", BYE)
    missing = Failed(FailureReason.CONTENT, f"answer to EHLO: {wanted} is not offered")

    assert checked("smtp", script, capability=wanted) == (Passed("250 mail.example.com") if passes else missing)


def test_starttls_starts_anew(certificates: Certificates) -> None:
    """What the server said before TLS does not count, and the certificate's expiry is reported."""
    good = certificates.good
    script = Script(BANNER, "250-plain\n250 STARTTLS", ThenTls("220 go"), "250-secret\n250 SIZE", BYE, certificate=good)
    tls = {"ca_file": str(good.path)}

    assert checked("smtp", script, starttls="required", tls=tls, capability="SIZE") == Passed(
        "250 secret", good.not_after
    )
    assert script.heard == [HELLO, "STARTTLS", HELLO, "QUIT"]


def test_untrusted_certificate_fails_after_starttls(certificates: Certificates) -> None:
    """Verification is on by default."""
    script = Script(BANNER, "250-plain\n250 STARTTLS", ThenTls("220 go"), certificate=certificates.good)

    assert checked("smtp", script, starttls="required") == Failed(
        FailureReason.TLS, "certificate verify failed: self-signed certificate"
    )


@pytest.mark.parametrize(
    ("answers", "reason", "detail"),
    [
        (["250 plain"], FailureReason.CONTENT, "answer to EHLO: STARTTLS is not offered"),
        (["250-plain\n250 STARTTLS", "454 no key"], FailureReason.STATUS, "answer to STARTTLS: 454 no key"),
    ],
)
def test_server_without_tls_fails_where_it_is_required(answers: list[str], reason: FailureReason, detail: str) -> None:
    """Nobody goes on in the clear."""
    assert checked("smtp", Script(BANNER, *answers), starttls="required", **LOGIN) == Failed(reason, detail)


@pytest.mark.parametrize(
    ("offer", "answers", "told"),
    [
        ("AUTH PLAIN LOGIN", ["235 welcome"], [f"AUTH PLAIN {PLAIN}"]),
        ("AUTH=LOGIN plain", ["235 welcome"], [f"AUTH PLAIN {PLAIN}"]),
        ("AUTH PLAIN", ["334 ", "235 welcome"], [f"AUTH PLAIN {PLAIN}", PLAIN]),
        ("auth LOGIN", ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 welcome"], ["AUTH LOGIN", USER, PASSWORD]),
    ],
)
def test_login(offer: str, answers: list[str], told: list[str]) -> None:
    """PLAIN where it is offered, else LOGIN."""
    script = Script(BANNER, f"250-mail\n250 {offer}", *answers, BYE)

    assert checked("submission", script, **LOGIN) == Passed("250 mail, logged in")
    assert script.heard == [HELLO, *told, "QUIT"]


@pytest.mark.parametrize(
    ("offer", "answers", "reason", "detail"),
    [
        ("AUTH PLAIN", ["535 no"], FailureReason.STATUS, "answer to AUTH: 535 no"),
        ("AUTH PLAIN", ["334 ", "334 again"], FailureReason.STATUS, "answer to AUTH: 334 again"),
        ("AUTH LOGIN", ["334 x", "535 nobody"], FailureReason.STATUS, "answer to AUTH: 535 nobody"),
        ("AUTH LOGIN", ["334 x", "334 x", "454 later"], FailureReason.STATUS, "answer to AUTH: 454 later"),
        ("AUTH PLAIN", [f"500 AUTH PLAIN {PLAIN}?"], FailureReason.STATUS, "answer to AUTH: 500 AUTH PLAIN ***?"),
        ("AUTH LOGIN", ["334 x", "334 x", f"500 {PASSWORD}?"], FailureReason.STATUS, "answer to AUTH: 500 ***?"),
        (
            "AUTH CRAM-MD5",
            [],
            FailureReason.CONTENT,
            "answer to EHLO: neither AUTH PLAIN nor AUTH LOGIN is offered",
        ),
        ("SIZE", [], FailureReason.CONTENT, "answer to EHLO: neither AUTH PLAIN nor AUTH LOGIN is offered"),
    ],
)
def test_refused_login(offer: str, answers: list[str], reason: FailureReason, detail: str) -> None:
    """The server's message is shown, the password never, even if the server repeats it."""
    script = Script(BANNER, f"250-mail\n250 {offer}", *answers)

    assert checked("submission", script, **LOGIN) == Failed(reason, detail)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"user": "check"}, "user and password must be set together"),
        ({"password": "x"}, "user and password must be set together"),
        ({"user": "a\r\nb", "password": "x", "allow_plain": True}, "must be one line"),
        ({"user": "a", "password": "x\ny", "allow_plain": True}, "must be one line"),
        ({"user": "a", "password": "x"}, 'a login needs starttls = "required", or allow_plain = true'),
        ({"tls": {"verify": False}}, 'tls needs starttls = "required"'),
        ({"starttls": "maybe"}, 'must be "off" or "required"'),
        ({"helo": "a b"}, "must be a host name or an address in brackets"),
        ({"helo": "a\n"}, "must be a host name or an address in brackets"),
        ({"capability": "a\nb"}, "must be one line"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    """With a sentence that says what to write."""
    with pytest.raises(ValidationError, match=message.replace("(", r"\(")):
        checkers()["smtp"].settings(**settings)


def test_password_is_not_printed() -> None:
    """Neither by the settings nor by what is wrong with them."""
    settings: dict[str, Any] = {"user": "x", "password": "geheim", "allow_plain": True}

    assert "geheim" not in repr(checkers()["smtp"].settings(**settings))

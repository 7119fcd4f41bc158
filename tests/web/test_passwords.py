from __future__ import annotations

import base64
import time

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.web.passwords import Credentials, Passwords, credentials


def hashed(password: str, *, cost: int = 4) -> str:
    """The hash of ``password``, as quick as bcrypt allows."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def basic(user: str, password: str) -> bytes:
    """The header's value."""
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


@given(st.text().filter(lambda user: ":" not in user), st.text())
def test_header_is_read_as_it_is_written(user: str, password: str) -> None:
    """A password may have colons, a name may have none (RFC 7617)."""
    assert credentials(basic(user, password)) == Credentials(user, password.encode())


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda raw: b"Basic " + base64.b64encode(raw)))
def test_no_header_raises_anything(raw: bytes) -> None:
    """Whatever a client sends is credentials or nothing."""
    found = credentials(raw)

    assert found is None or ":" not in found.user


@pytest.mark.parametrize("raw", [b"", b"Basic", b"Bearer abc", b"Basic !", b"Basic " + base64.b64encode(b"no colon")])
def test_other_headers_are_nothing(raw: bytes) -> None:
    """Another scheme, or no pair."""
    assert credentials(raw) is None


def test_right_password_is_remembered_and_no_wrong_one() -> None:
    """Once it was right it is known; with another password, or under another name, it is not."""
    passwords = Passwords({"ann": hashed("one"), "bob": hashed("two")})
    right = Credentials("ann", b"one")

    assert not passwords.is_known(right)
    assert passwords.verify(right)
    assert passwords.is_known(right)
    for user, password in (("ann", b"two"), ("bob", b"one"), ("eve", b"one"), ("ann", b"")):
        given_now = Credentials(user, password)
        assert not passwords.is_known(given_now)
        assert not passwords.verify(given_now)
        assert not passwords.is_known(given_now)
    assert passwords.is_known(right)


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_hashes_of_every_program_are_understood(prefix: str) -> None:
    """htpasswd writes $2y$, others $2a$ or $2b$."""
    passwords = Passwords({"ann": prefix + hashed("one")[4:]})

    assert passwords.verify(Credentials("ann", b"one"))


@pytest.mark.parametrize("password", [b"x" * 73, b"a\x00b", b"\xff" * 100])
def test_odd_passwords_are_wrong_and_no_error(password: bytes) -> None:
    """What the library refuses is not the user's password."""
    assert not Passwords({"ann": hashed("one")}).verify(Credentials("ann", password))


def test_long_password_counts_as_elsewhere() -> None:
    """bcrypt looks at 72 bytes; who makes hashes with another program has not noticed that."""
    passwords = Passwords({"ann": hashed("x" * 72)})

    assert passwords.verify(Credentials("ann", b"x" * 80))


def test_users_that_do_not_exist_take_as_long() -> None:
    """The time of an answer does not tell who exists."""
    passwords = Passwords({"ann": hashed("one", cost=9)})

    def shortest(user: str) -> float:
        times = []
        for _ in range(5):
            began = time.thread_time()
            passwords.verify(Credentials(user, b"wrong"))
            times.append(time.thread_time() - began)
        return min(times)

    assert shortest("nobody") > shortest("ann") / 2


def test_remembered_passwords_are_not_kept_in_the_clear() -> None:
    """A dump of the memory of this object has none."""
    passwords = Passwords({"ann": hashed("unmistakable")})
    passwords.verify(Credentials("ann", b"unmistakable"))

    assert b"unmistakable" not in b"".join(passwords._right.values())
    assert set(passwords._right) == {"ann"}

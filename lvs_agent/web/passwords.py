"""Whether a user's password is right: slow on purpose where it is not known yet, quick where it was right before."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import NamedTuple

import bcrypt

_LONGEST = 72
"""Bytes of a password that bcrypt looks at; the library refuses longer ones, everybody else cuts them."""

_WRONG = 1_024
"""Wrong passwords that are remembered."""


class Credentials(NamedTuple):
    """What a client gives as its name and password."""

    user: str
    password: bytes


def credentials(authorization: bytes) -> Credentials | None:
    """Name and password of an ``Authorization`` header (RFC 7617), or None where it is something else."""
    scheme, _, token = authorization.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = base64.b64decode(token.strip(), validate=True).partition(b":")
        return Credentials(user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


class Passwords:
    """The users of one web configuration: bcrypt hashes by name.

    What was right or wrong is remembered, as keyed hashes, so that a scrape does not cost a tenth of a second, nor does
    a client with an old password: one right password for each user, and the latest wrong ones.
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        self._hashes = {name: hashed.encode() for name, hashed in users.items()}
        self._costs = sorted(int(hashed.split("$")[2]) for hashed in users.values())
        self._secret = os.urandom(32)
        self._right: dict[str, bytes] = {}
        self._wrong: dict[bytes, None] = {}

    def __bool__(self) -> bool:
        """Whether there are any users."""
        return bool(self._hashes)

    def is_known(self, given: Credentials) -> bool:
        """Whether this user gave this password before, and it was right.  Quick."""
        known = self._right.get(given.user)
        return known is not None and hmac.compare_digest(known, self._mark(given))

    def is_known_to_be_wrong(self, given: Credentials) -> bool:
        """Whether this user gave this password before, and it was wrong.  Quick."""
        return self._mark(given) in self._wrong

    def verify(self, given: Credentials) -> bool:
        """Whether the password is the user's.  Takes long, and as long for users that do not exist."""
        hashed = self._hashes.get(given.user)
        right = _matches(given.password, self._nobody(given.user) if hashed is None else hashed)
        if hashed is None or not right:
            self._wrong[self._mark(given)] = None
            if len(self._wrong) > _WRONG:
                del self._wrong[next(iter(self._wrong))]
            return False
        self._right[given.user] = self._mark(given)
        return True

    def _mark(self, given: Credentials) -> bytes:
        user = given.user.encode()
        return hmac.digest(self._secret, b"%d:%b:%b" % (len(user), user, given.password), hashlib.sha256)

    def _nobody(self, user: str) -> bytes:
        """A hash for names that are not users: always the same cost for the same name, and one that users have."""
        at = int.from_bytes(hmac.digest(self._secret, user.encode(), hashlib.sha256)[:8])
        return b"$2b$%02d$%b" % (self._costs[at % len(self._costs)], b"." * 53)


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:_LONGEST], hashed)
    except ValueError:  # a byte 0 in the password, in older versions
        return False

"""Passwords as Rocket.Chat stores them: bcrypt of the lower-case SHA-256 hex of the password.

The inner digest makes every password 64 characters, so that bcrypt's limit of 72 bytes never
cuts one short.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from typing import TypeVar

import bcrypt

from .operations.meter import UNCOUNTED, Meter

T = TypeVar("T")
DIGEST = re.compile(r"[0-9a-f]{64}")


class PasswordHasher:
    """Hashes and verifies passwords at one bcrypt cost; each step doubles the time."""

    def __init__(self, cost: int = 12) -> None:
        self.cost = cost
        self.meter: Meter = UNCOUNTED
        # The salt fixes what a comparison costs; no password has a hash of dots.
        self._nobody = bcrypt.gensalt(cost) + b"." * 31

    @staticmethod
    def digest(plain: str) -> str:
        """The lower-case SHA-256 hex of a password: what clients send, and what is hashed."""
        return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()

    def hash(self, plain: str) -> str:
        """A new salted hash of a password."""
        return self.hash_digest(self.digest(plain))

    def hash_digest(self, digest: str) -> str:
        """A new salted hash of a password of which only the `digest` is at hand."""
        return self._timed(bcrypt.hashpw, digest.encode(), bcrypt.gensalt(self.cost)).decode()

    def verify(self, digest: str, stored: str) -> bool:
        """Whether `stored` is a hash of the password with this `digest`.

        A text that is no lower-case SHA-256 hex is never right, and costs the same time.
        """
        if not DIGEST.fullmatch(digest):
            return self.dummy()
        return self._timed(bcrypt.checkpw, digest.encode(), stored.encode())

    def dummy(self) -> bool:
        """Take as long as `verify` does, for accounts that are not there. Always False."""
        return self._timed(bcrypt.checkpw, b"", self._nobody)

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored`, which has just been verified, was made at another cost."""
        return int(stored.split("$")[2]) != self.cost

    def _timed(self, work: Callable[[bytes, bytes], T], password: bytes, salt: bytes) -> T:
        began = time.perf_counter()
        done = work(password, salt)
        self.meter.hashed(time.perf_counter() - began)
        return done

"""Passwords as Rocket.Chat stores them: bcrypt of the lower-case SHA-256 hex of the password.

The inner digest makes every password 64 characters, so that bcrypt's limit of 72 bytes never
cuts one short. With the extra `argon2`, argon2 hashes of the same digest are verified too: imported
users may bring them.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import BoundedSemaphore
from typing import TypeVar

import bcrypt

from e2ereset.hashes import (
    HIGHEST_COST,
    LOWEST_COST,
    bcrypt_cost,
    is_argon2,
    opens_argon2,
    taken,
)
from e2ereset.metrics.meter import UNCOUNTED, Meter

T = TypeVar("T")
DIGEST = re.compile(r"[0-9a-f]{64}")


class PasswordHasher:
    """Hashes and verifies passwords at one bcrypt cost; each step doubles the time.

    `at_once` is how many passwords are hashed at the same time in this process; keep it below the
    number of threads, see `turn`.
    """

    def __init__(self, cost: int = 12, *, at_once: int = 3) -> None:
        self.cost = cost
        self.meter: Meter = UNCOUNTED
        # The salt sets the cost of a comparison. No password has a hash of dots.
        self._nobody = bcrypt.gensalt(cost) + b"." * 31
        self._at_once = at_once
        self.keep_below(at_once + 1)

    def keep_below(self, threads: int) -> None:
        """Hash fewer passwords at once than `threads`. Call it before the first turn."""
        at_once = max(1, min(self._at_once, threads - 1))
        self._turns = BoundedSemaphore(at_once)
        self._sign_ins = BoundedSemaphore(max(1, at_once - 1))

    def turn(self) -> AbstractContextManager[None]:
        """Hold one of the `at_once` turns in the block. Raises Busy when all are taken.

        Nobody waits for a turn: who waits holds a thread that others need.
        """
        return taken(self._turns)

    @contextmanager
    def sign_in_turn(self) -> Iterator[None]:
        """As `turn`, but sign-ins have one turn fewer: one is left for users who are signed in."""
        with taken(self._sign_ins), taken(self._turns):
            yield

    @staticmethod
    def digest(plain: str) -> str:
        """The lower-case SHA-256 hex of a password: what clients send, and what is hashed."""
        return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()

    def hash(self, plain: str) -> str:
        """A new salted hash of a password."""
        return self.hash_digest(self.digest(plain))

    def hash_digest(self, digest: str) -> str:
        """A new salted hash of the password with this `digest`."""
        return self._timed(bcrypt.hashpw, digest.encode(), bcrypt.gensalt(self.cost)).decode()

    def verify(self, digest: str, stored: str) -> bool:
        """Whether `stored` is a hash of the password with this `digest`.

        False takes as long as `dummy`, also for a malformed digest, and for a hash of a lower cost
        or an unknown format.
        """
        cost = bcrypt_cost(stored)
        if not DIGEST.fullmatch(digest) or (cost is None and not is_argon2(stored)):
            return self.dummy()
        if cost is None:
            return self._verify_argon2(digest, stored)
        try:
            if self._timed(bcrypt.checkpw, digest.encode(), stored.encode()):
                return True
        except ValueError:  # a malformed salt
            return self.dummy()
        self._work((1 << self.cost) - (1 << cost))
        return False

    def dummy(self) -> bool:
        """Take as long as `verify`, for accounts that do not exist. Always False."""
        return self._timed(bcrypt.checkpw, b"", self._nobody)

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored`, just verified, has another cost or format than new hashes."""
        return not stored.startswith(f"$2b${self.cost:02}$")

    def _verify_argon2(self, digest: str, stored: str) -> bool:
        began = time.perf_counter()
        if opens_argon2(digest, stored):
            return True
        spent = time.perf_counter() - began
        began = time.perf_counter()
        self._work(1 << self.cost - 1)
        half = max(time.perf_counter() - began, 1e-6)
        # The work so far was half of a bcrypt hash. Add what is still missing to a whole one.
        self._work(int((1 << self.cost - 1) * (1 - spent / half)))
        return False

    def _work(self, units: int) -> None:
        """Hash until the sum of 2 ** cost is `units`."""
        for cost in range(LOWEST_COST, HIGHEST_COST + 1):
            if units > 0 and units >> cost & 1:
                self._timed(bcrypt.checkpw, b"", bcrypt.gensalt(cost) + b"." * 31)

    def _timed(self, work: Callable[[bytes, bytes], T], password: bytes, salt: bytes) -> T:
        began = time.perf_counter()
        done = work(password, salt)
        self.meter.hashed(time.perf_counter() - began)
        return done


def can_verify(stored: object) -> bool:
    """Whether the server can verify passwords against this stored text."""
    return bcrypt_cost(stored) is not None or is_argon2(stored)

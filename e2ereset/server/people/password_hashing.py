"""Passwords as Rocket.Chat stores them: bcrypt of the lower-case SHA-256 hex of the password.

The inner digest makes every password 64 characters, so that bcrypt's limit of 72 bytes never
cuts one short. Hashes of argon2 are verified where the extra `argon2` is installed: they come with
users from elsewhere, and have to be of the same digest.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import TypeVar

import bcrypt

from e2ereset.errors import Busy
from e2ereset.metrics.meter import UNCOUNTED, Meter

T = TypeVar("T")
DIGEST = re.compile(r"[0-9a-f]{64}")
LOWEST_COST, HIGHEST_COST = 4, 16
BCRYPT = re.compile(r"\$2[abxy]\$([0-9]{2})\$[./0-9A-Za-z]{53}")
ARGON2 = re.compile(r"\$argon2(id|i|d)\$[!-~]+")
MOST_KIB, MOST_WORK, MOST_LANES = 1 << 18, 1 << 20, 16
"""Of an argon2 hash that is verified: a stored one could ask for any amount of memory and time."""


class PasswordHasher:
    """Hashes and verifies passwords at one bcrypt cost; each step doubles the time.

    Keep `at_once`, the hashes under way in this process, below its threads, see `turn`.
    """

    def __init__(self, cost: int = 12, *, at_once: int = 3) -> None:
        self.cost = cost
        self.meter: Meter = UNCOUNTED
        # The salt fixes what a comparison costs; no password has a hash of dots.
        self._nobody = bcrypt.gensalt(cost) + b"." * 31
        self._at_once = at_once
        self.keep_below(at_once + 1)

    def keep_below(self, threads: int) -> None:
        """Hash fewer at once than this process has threads. Call it before the first turn."""
        at_once = max(1, min(self._at_once, threads - 1))
        self._turns = BoundedSemaphore(at_once)
        self._sign_ins = BoundedSemaphore(max(1, at_once - 1))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have one of the `at_once` turns for the block. Raises Busy where all are taken.

        Nobody waits for one: those who wait would hold the threads that all others need.
        """
        with _taken(self._turns):
            yield

    @contextmanager
    def sign_in_turn(self) -> Iterator[None]:
        """As `turn`, but of one turn fewer: a flood of sign-ins leaves one to those signed in."""
        with _taken(self._sign_ins), _taken(self._turns):
            yield

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

        False takes as long as `dummy`, whatever the digest and the hash are: no SHA-256 hex, made
        at a lower cost, of another format or none.
        """
        cost = bcrypt_cost(stored)
        if not DIGEST.fullmatch(digest) or (cost is None and not is_argon2(stored)):
            return self.dummy()
        if cost is None:
            return self._verify_argon2(digest, stored)
        try:
            if self._timed(bcrypt.checkpw, digest.encode(), stored.encode()):
                return True
        except ValueError:  # a salt whose last bits cannot be
            return self.dummy()
        self._work((1 << self.cost) - (1 << cost))
        return False

    def dummy(self) -> bool:
        """Take as long as `verify` does, for accounts that are not there. Always False."""
        return self._timed(bcrypt.checkpw, b"", self._nobody)

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored`, which has just been verified, was made in another way than now."""
        return not stored.startswith(f"$2b${self.cost:02}$")

    def _verify_argon2(self, digest: str, stored: str) -> bool:
        from argon2 import PasswordHasher as Argon2
        from argon2.exceptions import Argon2Error, InvalidHashError

        began = time.perf_counter()
        try:
            return bool(Argon2().verify(stored, digest))
        except (Argon2Error, InvalidHashError):
            spent = time.perf_counter() - began
        began = time.perf_counter()
        self._work(1 << self.cost - 1)
        half = max(time.perf_counter() - began, 1e-6)
        # As much again as is missing to the time of a whole hash, of which this was a half.
        self._work(int((1 << self.cost - 1) * (1 - spent / half)))
        return False

    def _work(self, units: int) -> None:
        """Take as long as hashes whose 2 ** cost add up to `units`."""
        for cost in range(LOWEST_COST, HIGHEST_COST + 1):
            if units > 0 and units >> cost & 1:
                self._timed(bcrypt.checkpw, b"", bcrypt.gensalt(cost) + b"." * 31)

    def _timed(self, work: Callable[[bytes, bytes], T], password: bytes, salt: bytes) -> T:
        began = time.perf_counter()
        done = work(password, salt)
        self.meter.hashed(time.perf_counter() - began)
        return done


def can_verify(stored: object) -> bool:
    """Whether a stored text is a hash that any password could be compared with."""
    return bcrypt_cost(stored) is not None or is_argon2(stored)


def bcrypt_cost(stored: object) -> int | None:
    """The cost of a bcrypt hash; None for what is none, or would take minutes to compare."""
    found = BCRYPT.fullmatch(stored) if isinstance(stored, str) else None
    cost = int(found[1]) if found else 0
    return cost if LOWEST_COST <= cost <= HIGHEST_COST else None


def is_argon2(stored: object) -> bool:
    """Whether it is an argon2 hash of bearable cost, and the extra `argon2` is installed."""
    if not isinstance(stored, str) or not ARGON2.fullmatch(stored):
        return False
    try:
        from argon2 import extract_parameters
        from argon2.exceptions import InvalidHashError
    except ImportError:
        return False
    try:
        asks = extract_parameters(stored)
    except (InvalidHashError, ValueError):
        return False
    return (
        asks.memory_cost <= MOST_KIB
        and asks.memory_cost * asks.time_cost <= MOST_WORK
        and asks.parallelism <= MOST_LANES
    )


@contextmanager
def _taken(turns: BoundedSemaphore) -> Iterator[None]:
    if not turns.acquire(blocking=False):
        raise Busy("As many passwords are hashed as may be at once")
    try:
        yield
    finally:
        turns.release()

"""Checks passwords before they are set."""

import gzip
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from e2ereset.errors import E2EResetError

from .password_hashing import PasswordHasher

EXTENSION = "e2ereset.server.passwords"
COMMON = "common-passwords.txt.gz"


class WeakPassword(E2EResetError):
    """The password is easy to guess; the text says why."""


@dataclass(frozen=True, slots=True)
class NewPasswords:
    """Checks and hashes the passwords that are set. `shortest`: their fewest characters."""

    hasher: PasswordHasher
    shortest: int

    def hash(self, password: str) -> str:
        """The hash to be stored. Raises WeakPassword for a short or a common one, in any case."""
        if len(password) < self.shortest:
            raise WeakPassword(f"A password has at least {self.shortest} characters.")
        if password.strip().lower() in _common():
            raise WeakPassword("This password is one of the commonest, which are guessed first.")
        return self.hasher.hash(password)

    def hash_in_turn(self, password: str) -> str:
        """`hash`, within the worker's turns. Raises Busy when all are taken, WeakPassword."""
        with self.hasher.turn():
            return self.hash(password)


@cache
def _common() -> frozenset[str]:
    """The commonest passwords of 8 characters or more.

    From Django 5.2, which made the list of passwords that had leaked; see common-passwords.LICENSE.
    """
    packed = files(__package__).joinpath(COMMON).read_bytes()
    return frozenset(gzip.decompress(packed).decode().splitlines())

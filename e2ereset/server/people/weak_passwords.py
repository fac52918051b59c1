"""Which passwords the server does not set."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files

from e2ereset.errors import E2EResetError

COMMON = "common-passwords.txt.gz"


class WeakPassword(E2EResetError):
    """The password is among the first that are guessed; the text says why."""


def check_password(password: str, shortest: int) -> None:
    """Raise WeakPassword for one of fewer characters, or one of the commonest, in any case."""
    if len(password) < shortest:
        raise WeakPassword(f"A password has at least {shortest} characters.")
    if password.strip().lower() in _common():
        raise WeakPassword("This password is one of the commonest, which are guessed first.")


@cache
def _common() -> frozenset[str]:
    """The commonest passwords of 8 characters or more.

    From Django 5.2, which made the list of passwords that had leaked; see common-passwords.LICENSE.
    """
    packed = files(__package__).joinpath(COMMON).read_bytes()
    return frozenset(gzip.decompress(packed).decode().splitlines())

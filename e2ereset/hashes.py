"""Password hashes as apps store them: which texts are some, and whether a secret opens one.

A stored hash says itself how much work it asks for, so there are bounds: whoever can write one
could otherwise take any amount of memory and time.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore

from werkzeug.security import check_password_hash

from .errors import Busy

LOWEST_COST, HIGHEST_COST = 4, 16
LONGEST_BCRYPT = 72
"""Bytes of a secret that bcrypt looks at. It refuses longer ones since 5.0, and cut them before."""
BCRYPT = re.compile(r"\$2[abxy]\$([0-9]{2})\$[./0-9A-Za-z]{53}")
ARGON2 = re.compile(r"\$argon2(id|i|d)\$[!-~]+")
SCRYPT = re.compile(r"scrypt:([0-9]{1,9}):([0-9]{1,4}):([0-9]{1,4})\$[^$]+\$[0-9a-f]{128}")
PBKDF2 = re.compile(r"pbkdf2:sha[0-9]{1,3}:([0-9]{1,9})\$[^$]+\$[0-9a-f]{40,128}")
MOST_KIB, MOST_WORK, MOST_LANES, MOST_ROUNDS = 1 << 18, 1 << 20, 16, 10_000_000


def is_known(stored: object) -> bool:
    """Whether it is a hash of bcrypt, of werkzeug, or with the extra `argon2` of argon2."""
    return bcrypt_cost(stored) is not None or is_werkzeug(stored) or is_argon2(stored)


def opens(secret: str, stored: str) -> bool:
    """Whether `stored` is a hash of this secret. False for a text that `is_known` does not know."""
    if bcrypt_cost(stored) is not None:
        return _opens_bcrypt(secret, stored)
    if is_werkzeug(stored):
        with suppress(ValueError):  # a size that scrypt does not take, or a secret that is no UTF-8
            return check_password_hash(stored, secret)
        return False
    return is_argon2(stored) and opens_argon2(secret, stored)


def opens_argon2(secret: str, stored: str) -> bool:
    """`opens` for a text of which `is_argon2` is true."""
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error

    try:
        return bool(PasswordHasher().verify(stored, secret))
    except (Argon2Error, ValueError):
        return False


def bcrypt_cost(stored: object) -> int | None:
    """The cost of a bcrypt hash; None for another text, or a cost that takes minutes."""
    found = BCRYPT.fullmatch(stored) if isinstance(stored, str) else None
    cost = int(found[1]) if found else 0
    return cost if LOWEST_COST <= cost <= HIGHEST_COST else None


def is_argon2(stored: object) -> bool:
    """Whether it is an argon2 hash within our bounds, and the extra `argon2` is installed."""
    if not isinstance(stored, str) or not ARGON2.fullmatch(stored):
        return False
    try:
        from argon2 import extract_parameters

        asks = extract_parameters(stored)
    except (ImportError, ValueError):
        return False
    return (
        asks.memory_cost <= MOST_KIB
        and asks.memory_cost * asks.time_cost <= MOST_WORK
        and asks.parallelism <= MOST_LANES
    )


def is_werkzeug(stored: object) -> bool:
    """Whether it is a hash of `werkzeug.security` within our bounds."""
    text = stored if isinstance(stored, str) else ""
    if found := SCRYPT.fullmatch(text):
        blocks, size, lanes = map(int, found.groups())
        return blocks * size <= MOST_KIB * 8 and lanes <= MOST_LANES  # 128 bytes each
    found = PBKDF2.fullmatch(text)
    return found is not None and int(found[1]) <= MOST_ROUNDS


@contextmanager
def taken(turns: BoundedSemaphore) -> Iterator[None]:
    """Hold one of the turns in the block. Raises Busy when all are taken.

    Nobody waits for a turn: who waits holds a thread that others need.
    """
    if not turns.acquire(blocking=False):
        raise Busy("As many passwords are hashed as may be at once")
    try:
        yield
    finally:
        turns.release()


def _opens_bcrypt(secret: str, stored: str) -> bool:
    import bcrypt  # as argon2, only where somebody has such a hash

    given = secret.encode("utf-8", "surrogatepass")[:LONGEST_BCRYPT]
    try:
        return bcrypt.checkpw(given, stored.encode())
    except ValueError:  # a malformed salt, or NUL in the secret
        return False

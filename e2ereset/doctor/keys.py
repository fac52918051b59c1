"""Whether the secret keys are strong, and which of the older ones are still needed.

No key is ever told, only its place in the list or the one-way id that stored data carries.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import log2
from typing import Any

from sqlalchemy import Column, Select, func, literal_column, select

from e2ereset.crypto import KeyRing
from e2ereset.models import (
    AuditHead,
    AuditPurge,
    AuditRow,
    AuditSealer,
    EmailChallenge,
    OutboxMail,
    Totp,
    table,
)
from e2ereset.sql import run

from .findings import Area, Check, Finding, Part
from .subject import Subject

AREA = Area("keys")
COMMAND = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
MAKE_ONE = f"Put a new key in front in E2ERESET_SECRET_KEYS, made by: {COMMAND}"
WEAK_BITS, WORTHLESS_BITS = 70, 40
ID_LENGTH = 8

# From the documentation of Flask: everybody has read these.
PUBLISHED = (
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    '_5#y2L"F4Q8z\n\xec]/',
)
WORDS = re.compile(
    "example|insecure|changeme|placeholder|replace|password|passwort|passwd|qwerty|default|please|"
    "change|secret|random|string|letmein|django|flask|admin|token|devel(?:op(?:ment)?)?|keys?|"
    "super|tests?|your|this|only|with|here|prod(?:uction)?|value|long|safe|very|dev|the|for|use|real|"
    "and|not|some|e2ereset|rocketchat|todo|x{2,}|[0-9]{1,4}(?![0-9])|my|me|to|it|in|is|be|or|at|a"
)
SEPARATORS = re.compile(r"[\W_]+")
FEW = 5
STORED: tuple[Column[str], ...] = tuple(
    table(model).c[name]
    for model, name in (
        (Totp, "secret"),
        (Totp, "pending_secret"),
        (EmailChallenge, "digest"),
        (OutboxMail, "sealed"),
        (AuditRow, "digest"),
        (AuditHead, "digest"),
        (AuditPurge, "digest"),
        (AuditSealer, "mark"),
    )
)


def _count_by_key(column: Column[str]) -> Select[Any]:
    # Literals, because PostgreSQL takes two parameters of one value for two expressions.
    first: Any = literal_column("1")
    length: Any = literal_column(str(ID_LENGTH))
    key_id = func.substr(column, first, length)
    marked = func.substr(column, literal_column(str(ID_LENGTH + 1)), first) == ":"
    found = select(key_id.label("key_id"), func.count().label("rows"))
    return found.where(marked).group_by(key_id)


COUNTS = tuple(map(_count_by_key, STORED))


@AREA.check("secret-keys", "Every secret key is hard to guess.", Part.SETTINGS)
def STRONG(subject: Subject) -> Iterator[Finding]:
    """Each key by its place, newest first, and the token of the operations."""
    keys = subject.known.secret_keys
    for place, key in enumerate(keys, 1):
        yield from _strength(f"Secret key {place} of {len(keys)}", key, MAKE_ONE)
    token = subject.known.operations_token
    if token:
        change = f"E2ERESET_OPERATIONS_TOKEN = '...', made by: {COMMAND}"
        yield from _strength("E2ERESET_OPERATIONS_TOKEN", token, change)


def _strength(name: str, key: str, change: str) -> Iterator[Finding]:
    bits = entropy_bits(key)
    if is_well_known(key):
        words = f"{name} is made of words that everybody tries first, or stands in a manual."
        yield AREA.error("secret-known", words, change)
    elif bits < WORTHLESS_BITS:
        words = f"{name} repeats itself: about {bits:.0f} bits are left of it."
        yield AREA.error("secret-guessable", words, change)
    elif bits < WEAK_BITS:
        words = f"{name} looks like {bits:.0f} bits at most; {WEAK_BITS} or more are safe."
        yield AREA.warning("secret-weak", words, change)


@AREA.check("old-keys", "Nothing is stored under an older key.", Part.SETTINGS, Part.TABLES)
def OLD(subject: Subject) -> Iterator[Finding]:
    """Older keys that data still needs, those that nothing needs, and keys that are gone."""
    ids = KeyRing(subject.known.secret_keys).ids
    rows = _rows_by_key(subject)
    for place, key_id in enumerate(ids[1:], 2):
        if rows[key_id]:
            yield AREA.note(
                "old-key-needed",
                f"{rows[key_id]} rows are under secret key {place} ({key_id}).",
                "Keep it. `e2ereset keys rotate` seals the secrets under the newest key.",
            )
        else:
            yield AREA.note(
                "old-key-idle",
                f"No row is under secret key {place} ({key_id}).",
                "Take it out of E2ERESET_SECRET_KEYS.",
            )
    for key_id in sorted(rows.keys() - set(ids)):
        yield AREA.error(
            "key-lost",
            f"{rows[key_id]} rows are under the key {key_id}, which"
            " E2ERESET_SECRET_KEYS does not hold.",
            "Put that key back behind the newest one.",
        )


def entropy_bits(key: str) -> float:
    """What guessing the key takes at most, by its own characters: repeats and runs add nothing."""
    core = key[: (key + key).find(key, 1)]
    steps = [ord(c) - ord(before) for before, c in pairwise(core)]
    runs = [abs(step) < 2 and step == last for last, step in pairwise(steps)]
    fresh = core[:2] + "".join(c for c, run in zip(core[2:], runs, strict=True) if not run)
    counts = Counter(fresh)
    return -sum(n * log2(n / len(fresh)) for n in counts.values())


def is_well_known(key: str) -> bool:
    """Whether the key stands in a manual, or hardly anything but common words is in it."""
    if key in PUBLISHED:
        return True
    bare = SEPARATORS.sub("", key.lower())
    return len(WORDS.sub("", bare)) < FEW


def _rows_by_key(subject: Subject) -> Counter[str]:
    rows: Counter[str] = Counter()
    with subject.database.connect() as connection:
        for statement in COUNTS:
            for row in run(connection, statement):
                rows[row.key_id] += row.rows
    return rows


CHECKS: tuple[Check, ...] = (STRONG, OLD)

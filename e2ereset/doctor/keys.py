"""Whether the secret keys are strong, and which of the older ones are still needed.

No key is ever told, only its place in the list or the one-way id that stored data carries.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import log2

from e2ereset.crypto import KeyRing

from .findings import Area, Check, Finding, Part
from .subject import Subject

AREA = Area("keys")
COMMAND = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
MAKE_ONE = f"Put a new key in front in E2ERESET_SECRET_KEYS, made by: {COMMAND}"
WEAK_BITS, WORTHLESS_BITS = 70, 40

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
BATCH = 1000


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
    """Older keys that are still needed, those that are not, and keys that are gone.

    By what `keys rotate --check` goes by: an audit row that is sealed needs its key no more.
    """
    ids = KeyRing(subject.known.secret_keys).ids
    counts: Counter[str | None] = Counter()
    for use in subject.keys.uses(BATCH):
        counts[use.key] += use.count
    for place, key_id in enumerate(ids[1:], 2):
        # Heads of the audit log are counted under no key: they may be under any older one.
        if needed := counts[key_id] + counts[None]:
            yield AREA.note(
                "old-key-needed",
                f"{needed} texts or signatures are under secret key {place} ({key_id}).",
                "Keep it. `e2ereset keys rotate` brings them under the newest key.",
            )
        else:
            yield AREA.note(
                "old-key-idle",
                f"Nothing needs secret key {place} ({key_id}).",
                "Take it out of E2ERESET_SECRET_KEYS.",
            )
    for key_id in sorted(key for key in counts if key is not None and key not in ids):
        yield AREA.error(
            "key-lost",
            f"{counts[key_id]} texts are under the key {key_id}, which"
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


CHECKS: tuple[Check, ...] = (STRONG, OLD)

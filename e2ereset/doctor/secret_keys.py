"""Whether the secret keys are strong, and which of the older ones are still needed.

No key is ever told, only its place in the list or the one-way id that stored data carries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from e2ereset.crypto import KeyRing

from .deployment import Subject
from .findings import Area, Check, Finding, Part

AREA = Area("keys")
COMMAND = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
MAKE_ONE = f"Put a new key in front in E2ERESET_SECRET_KEYS, made by: {COMMAND}"
# From the documentation of Flask: everybody has read these.
PUBLISHED = (
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    '_5#y2L"F4Q8z\n\xec]/',
)
LONG_ENOUGH = 22  # characters of base64 have 128 bits
VARIED_ENOUGH = 8
"""Different characters; random texts have more."""
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
    """Faults that every reader can see. Which words people choose is not ours to list."""
    if key in PUBLISHED:
        yield AREA.error("secret-known", f"{name} stands in a manual.", change)
    elif len(set(key)) < VARIED_ENOUGH or key in (key + key)[1:-1]:
        yield AREA.error("secret-guessable", f"{name} repeats itself.", change)
    elif len(key) < LONG_ENOUGH:
        words = f"{name} has {len(key)} characters; {LONG_ENOUGH} random ones are safe."
        yield AREA.warning("secret-weak", words, change)
    elif not any(c.isdigit() or c.isupper() for c in key):
        words = f"{name} has small letters only, as words have and random texts have not."
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


CHECKS: tuple[Check, ...] = (STRONG, OLD)

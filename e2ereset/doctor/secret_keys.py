"""Whether the secret keys are strong, and which of the older ones are still needed.

No key is ever told, only its place in the list or the one-way id that stored data carries.
"""

from collections import Counter
from collections.abc import Iterator

from e2ereset.crypto import KeyRing
from e2ereset.settings import ADVICE

from .deployment import Deployment
from .findings import Finding, Part, check, found

AREA = "keys"
# From the documentation of Flask: everybody has read these.
PUBLISHED = (
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    '_5#y2L"F4Q8z\n\xec]/',
)
LONG_ENOUGH = 22  # characters of base64 have 128 bits
VARIED_ENOUGH = 8
"""Different characters; random texts have more."""
BATCH = 1000


@check(AREA, "secret-keys", "Every secret key is hard to guess.", Part.SETTINGS)
def strong(app: Deployment) -> Iterator[Finding]:
    """Each key by its place, newest first, and the token of the operations."""
    keys, token = app.known.secret_keys, app.known.operations_token
    change = f"Put a new key in front in E2ERESET_SECRET_KEYS. {ADVICE}"
    for place, key in enumerate(keys, 1):
        yield from _strength(f"Secret key {place} of {len(keys)}", key, change)
    if token:
        change = f"E2ERESET_OPERATIONS_TOKEN = '...'. {ADVICE}"
        yield from _strength("E2ERESET_OPERATIONS_TOKEN", token, change)


def _strength(name: str, key: str, change: str) -> Iterator[Finding]:
    """Faults that every reader can see. Which words people choose is not ours to list."""
    facts = {"name": name, "make_one": change}
    if key in PUBLISHED:
        yield found("secret-known", **facts)
    elif len(set(key)) < VARIED_ENOUGH or key in (key + key)[1:-1]:
        yield found("secret-guessable", **facts)
    elif len(key) < LONG_ENOUGH:
        why = f"has {len(key)} characters; {LONG_ENOUGH} random ones are safe"
        yield found("secret-weak", why=why, **facts)
    elif not any(c.isdigit() or c.isupper() for c in key):
        why = "has small letters only, as words have and random texts have not"
        yield found("secret-weak", why=why, **facts)


@check(AREA, "old-keys", "Nothing is stored under an older key.", Part.SETTINGS, Part.TABLES)
def old(app: Deployment) -> Iterator[Finding]:
    """Older keys that are still needed, those that are not, and keys that are gone.

    It counts as `keys rotate --check` does: an audit row that is sealed needs its key no more.
    """
    ids = KeyRing(app.known.secret_keys).ids
    counts: Counter[str | None] = Counter()
    for use in app.keys.uses(BATCH):
        counts[use.key] += use.count
    for place, key in enumerate(ids[1:], 2):
        # Heads of the audit log are counted under no key: they may be under any older one.
        needed = counts[key] + counts[None]
        code = "old-key-needed" if needed else "old-key-idle"
        yield found(code, needed=needed, place=place, key=key)
    for key in sorted(key for key in counts if key is not None and key not in ids):
        yield found("key-lost", count=counts[key], key=key)

"""Names of settings that nothing reads: misspelled, without their prefix, in lower case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from difflib import get_close_matches

from e2ereset.settings import PREFIX, SERVER_PREFIX, Settings

from .findings import Area, Check, Finding
from .subject import Subject

AREA = Area("settings")
CUTOFF = 0.84
# Not settings: they are read from the environment before there is a configuration.
ENVIRONMENT = ("E2ERESET_INSTANCE", "E2ERESET_TEST_")
OURS = tuple(PREFIX + f.name.upper() for f in fields(Settings))
LIBRARIES = {
    "SQLALCHEMY_": "DATABASE_URI ENGINE_OPTIONS BINDS ECHO RECORD_QUERIES TRACK_MODIFICATIONS",
    "MAIL_": "SERVER PORT USERNAME PASSWORD USE_TLS USE_SSL DEFAULT_SENDER TIMEOUT SSL_KEYFILE"
    " SSL_CERTFILE USE_LOCALTIME FILE_PATH DEFAULT_CHARSET SEND_OPTIONS BACKEND",
    "RATELIMIT_": "ENABLED KEY_FUNC KEY_PREFIX FAIL_ON_FIRST_BREACH ON_BREACH_CALLBACK"
    " SWALLOW_ERRORS APPLICATION APPLICATION_PER_METHOD APPLICATION_EXEMPT_WHEN"
    " APPLICATION_DEDUCT_WHEN APPLICATION_COST DEFAULT DEFAULTS_PER_METHOD DEFAULTS_EXEMPT_WHEN"
    " DEFAULTS_DEDUCT_WHEN DEFAULTS_COST REQUEST_IDENTIFIER STRATEGY STORAGE_URI STORAGE_OPTIONS"
    " HEADERS_ENABLED HEADER_LIMIT HEADER_REMAINING HEADER_RESET HEADER_RETRY_AFTER"
    " HEADER_RETRY_AFTER_VALUE IN_MEMORY_FALLBACK IN_MEMORY_FALLBACK_ENABLED META"
    " ON_META_BREACH_CALLBACK",
}
THEIRS = tuple(prefix + name for prefix, names in LIBRARIES.items() for name in names.split())
KNOWN = (*OURS, *THEIRS, "SECRET_KEY")


@AREA.check("setting-names", "No setting looks misspelled.")
def NAMES(subject: Subject) -> Iterator[Finding]:
    """Keys of the configuration that no library reads, though they look like one's."""
    for key in subject.config:
        if key in KNOWN or key.startswith((PREFIX, SERVER_PREFIX)):
            continue  # an unknown key of ours refuses to start
        meant = _meant(key)
        if meant:
            yield AREA.warning("setting-misspelled", f"Nothing reads {key}.", f"{meant} = ...")
        elif key.startswith(tuple(LIBRARIES)):
            yield AREA.note(
                "setting-unknown",
                f"No library in use here reads {key}.",
                f"Remove {key}, unless something else of yours reads it.",
            )


@AREA.check("environment-names", "Every setting in the environment is read.")
def VARIABLES(subject: Subject) -> Iterator[Finding]:
    """Variables that look like settings, but lack the prefix with which Flask reads them."""
    for name in subject.environ:
        if name.startswith(ENVIRONMENT):
            continue
        if name.startswith((PREFIX, "SQLALCHEMY_", "RATELIMIT_")):
            yield AREA.warning(
                "variable-unread", f"The variable {name} is not read.", f"FLASK_{name}=..."
            )


def _meant(key: str) -> str | None:
    """The setting that this key was meant to be; None when it looks like none."""
    upper = key.upper().removeprefix("FLASK_")
    if upper in KNOWN:
        return upper
    close = get_close_matches(upper, KNOWN, n=1, cutoff=CUTOFF)
    return close[0] if close else None


CHECKS: tuple[Check, ...] = (NAMES, VARIABLES)

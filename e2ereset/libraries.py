"""The settings of the libraries in use, as far as a wrong type or name would pass in silence.

From the environment whatever is no JSON arrives as a text: `False` is 'False', which counts as on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limits.strategies import STRATEGIES

from .errors import SettingsError

SWITCHES = (
    "DEBUG",
    "TESTING",
    "PROPAGATE_EXCEPTIONS",
    "TRAP_BAD_REQUEST_ERRORS",
    "TEMPLATES_AUTO_RELOAD",
    "TRAP_HTTP_EXCEPTIONS",
    "EXPLAIN_TEMPLATE_LOADING",
    "PROVIDE_AUTOMATIC_OPTIONS",
    "SESSION_COOKIE_HTTPONLY",
    "SESSION_COOKIE_PARTITIONED",
    "SESSION_COOKIE_SECURE",
    "SESSION_REFRESH_EACH_REQUEST",
    "USE_X_SENDFILE",
    "SQLALCHEMY_RECORD_QUERIES",
    "SQLALCHEMY_TRACK_MODIFICATIONS",
    "MAIL_USE_TLS",
    "MAIL_USE_SSL",
    "MAIL_USE_LOCALTIME",
    "RATELIMIT_ENABLED",
    "RATELIMIT_HEADERS_ENABLED",
    "RATELIMIT_SWALLOW_ERRORS",
    "RATELIMIT_FAIL_ON_FIRST_BREACH",
    "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED",
    "RATELIMIT_DEFAULTS_PER_METHOD",
    "RATELIMIT_APPLICATION_PER_METHOD",
)
NUMBERS = (
    "MAX_CONTENT_LENGTH",
    "SEND_FILE_MAX_AGE_DEFAULT",
    "MAX_COOKIE_SIZE",
    "MAX_FORM_MEMORY_SIZE",
    "MAX_FORM_PARTS",
    "MAIL_PORT",
    "MAIL_TIMEOUT",
)
TEXTS = (
    "MAIL_SERVER",
    "MAIL_USERNAME",
    "MAIL_PASSWORD",
    "RATELIMIT_STORAGE_URI",
    "RATELIMIT_STRATEGY",
)
UNUSED = ("MAIL_SSL_CERTFILE", "MAIL_SSL_KEYFILE")
CHOICES = {"SQLALCHEMY_ECHO": (True, False, "debug"), "RATELIMIT_STRATEGY": tuple(STRATEGIES)}
OFF = {"false", "no", "off", "0", "none", "null", "n", "f", "disabled"}


def check_types(config: Mapping[str, Any]) -> None:
    """Raise SettingsError for a setting that a library would misread, and say what to write."""
    for key in SWITCHES:
        if isinstance(config.get(key), str):
            raise _text_for_switch(key, config[key])
    for key in NUMBERS:
        if isinstance(config.get(key), str | bool):
            raise SettingsError(
                f"{key} must be a number, not {config[key]!r}. Write {key} = 25 in config.py,"
                f" or FLASK_{key}=25 in the environment."
            )
    for key in TEXTS:
        if not isinstance(config.get(key, ""), str | None):
            # Not its value, which may be a password.
            raise SettingsError(
                f"{key} must be a text. In the environment, put a number into two pairs of"
                f" quotation marks: FLASK_{key}='\"123\"'."
            )
    for key in UNUSED:
        if config.get(key):
            raise SettingsError(
                f"{key} is not used: no certificate of ours is shown to a relay. Remove it, and"
                " write MAIL_USERNAME and MAIL_PASSWORD."
            )
    for key, allowed in CHOICES.items():
        if config.get(key) not in (None, "", *allowed):
            raise SettingsError(f"{key} must be one of {', '.join(map(str, allowed))}.")


def check_switches_meant_off(config: Mapping[str, Any]) -> None:
    """Raise SettingsError for a switch that says off, as a text, and counts as on.

    For hosts, whose other texts are left alone: they do what they say.
    """
    for key in SWITCHES:
        if isinstance(config.get(key), str) and config[key].strip().lower() in OFF:
            raise _text_for_switch(key, config[key])


def _text_for_switch(key: str, value: str) -> SettingsError:
    return SettingsError(
        f"{key} is the text {value!r}, and any text counts as on. Write {key} = False (or True) in"
        f" config.py, or FLASK_{key}=false (or true) in the environment, in small letters."
    )

"""Checks settings of other libraries: those that a wrong type or name would change silently.

Flask keeps an environment value that is no JSON as a text: `False` becomes 'False', which counts
as on.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask
from limits.strategies import STRATEGIES

from .errors import SettingsError

SWITCHES = {key for key, value in Flask.default_config.items() if isinstance(value, bool)} | {
    *("DEBUG", "PROPAGATE_EXCEPTIONS", "TRAP_BAD_REQUEST_ERRORS", "TEMPLATES_AUTO_RELOAD"),
    *("SQLALCHEMY_RECORD_QUERIES", "SQLALCHEMY_TRACK_MODIFICATIONS"),
    *("MAIL_USE_TLS", "MAIL_USE_SSL", "MAIL_USE_LOCALTIME"),
    "MAIL_SUPPRESS_SEND",  # of Flask-Mail
    *("RATELIMIT_ENABLED", "RATELIMIT_HEADERS_ENABLED", "RATELIMIT_SWALLOW_ERRORS"),
    *("RATELIMIT_FAIL_ON_FIRST_BREACH", "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED"),
    *("RATELIMIT_DEFAULTS_PER_METHOD", "RATELIMIT_APPLICATION_PER_METHOD"),
}
NUMBERS = {key for key, value in Flask.default_config.items() if type(value) is int} | {
    *("MAX_CONTENT_LENGTH", "SEND_FILE_MAX_AGE_DEFAULT", "MAIL_PORT", "MAIL_TIMEOUT"),
}
TEXTS = (
    *("MAIL_SERVER", "MAIL_USERNAME", "MAIL_PASSWORD"),
    *("RATELIMIT_STORAGE_URI", "RATELIMIT_STRATEGY"),
)
UNUSED = ("MAIL_SSL_CERTFILE", "MAIL_SSL_KEYFILE")
CHOICES = {"SQLALCHEMY_ECHO": (True, False, "debug"), "RATELIMIT_STRATEGY": tuple(STRATEGIES)}
OFF = {"false", "no", "off", "0", "none", "null", "n", "f", "disabled"}


def check_types(config: Mapping[str, Any]) -> None:
    """Raise SettingsError for a setting that a library would misread; it says what to write."""
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
    """Raise SettingsError for a switch that is a text for off, such as 'no', and counts as on.

    This is the check for hosts. Their other texts mean what they say.
    """
    for key in SWITCHES:
        if isinstance(config.get(key), str) and config[key].strip().lower() in OFF:
            raise _text_for_switch(key, config[key])


def _text_for_switch(key: str, value: str) -> SettingsError:
    return SettingsError(
        f"{key} is the text {value!r}, and any text counts as on. Write {key} = False (or True) in"
        f" config.py, or FLASK_{key}=false (or true) in the environment, in small letters."
    )

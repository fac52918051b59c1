"""Settings: read once, typed, and refused at start when unsafe: SPEC 3."""

import pytest

from e2ereset.errors import SettingsError
from e2ereset.settings import load_settings
from tests.kit.rows import row

KEY = {"SECRET_KEY": "x" * 16}


def load(**config):
    return load_settings(KEY | config)


def refused(**config):
    with pytest.raises(SettingsError) as caught:
        load(**config)
    return str(caught.value)


@row("9.8", "10.8", "10.14")
def test_defaults_are_those_of_the_specification():
    settings = load()
    assert settings.methods == ("totp", "email", "password")
    assert settings.verify_windows == ((300, 5), (3600, 20), (86400, 50))
    assert settings.send_windows == ((30, 1), (3600, 5), (86400, 15))
    assert (settings.email_code_seconds, settings.email_code_tries) == (600, 5)
    assert (settings.two_factor, settings.without_method) == (True, "refuse")
    assert settings.rate_limit == "10 per minute"


@row("13.auth.2", "13.mfa.1")
def test_thresholds_and_windows_are_settings():
    windows = load(E2ERESET_TRIES_PER_HOUR=7).verify_windows
    assert windows == ((300, 5), (3600, 7), (86400, 50))
    assert load(E2ERESET_EMAIL_CODE_SECONDS=60).email_code_seconds == 60


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        load().totp_window = 9


def test_secret_keys_fall_back_to_the_apps_key():
    assert load().secret_keys == ("x" * 16,)
    assert load(E2ERESET_SECRET_KEYS=["y" * 16]).secret_keys == ("y" * 16,)


def test_secret_keys_are_not_in_the_repr():
    assert "x" * 16 not in repr(load())


def test_an_unknown_setting_is_refused_with_the_nearest_or_with_all():
    text = refused(E2ERESET_TOPT_WINDOW=1)
    assert text == "E2ERESET_TOPT_WINDOW is not a setting. Did you mean E2ERESET_TOTP_WINDOW?"
    assert "Known: E2ERESET_AUDIT_CHECKPOINTS, " in refused(E2ERESET_COLOUR=1)


@row("9.8", "11.N1", "11.N4", "11.N10", "12.v4.2.7.6", "13.mfa.1")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("E2ERESET_EMAIL_CODE_SECONDS", 601),
        ("E2ERESET_EMAIL_CODE_DIGITS", 5),
        ("E2ERESET_EMAIL_CODE_TRIES", 100),
        ("E2ERESET_TOTP_WINDOW", 2),
        ("E2ERESET_TRIES_PER_DAY", 101),
        ("E2ERESET_TRIES_PER_HOUR", 0),
        ("E2ERESET_TRIES_PER_5_MINUTES", 0),
        ("E2ERESET_SENDS_PER_HOUR", 0),
    ],
)
def test_an_unsafe_number_is_refused_with_the_range(key, value):
    assert f"{key} must be from" in refused(**{key: value})


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("E2ERESET_METHODS", "totp", "must be a list, such as ['totp', 'email', 'password']"),
        ("E2ERESET_METHODS", [], "Name at least one"),
        ("E2ERESET_TWO_FACTOR", "no", "of type bool"),
        ("E2ERESET_TOTP_WINDOW", True, "of type int"),
        ("E2ERESET_WITHOUT_METHOD", "deny", "must be one of 'refuse', 'allow'"),
        ("E2ERESET_SECRET_KEYS", ["short"], "16 characters"),
        ("E2ERESET_SECRET_KEYS", ["y" * 16, "y" * 16], "twice"),
        ("SECRET_KEY", "dev", "token_urlsafe"),
        ("SECRET_KEY", None, "Set E2ERESET_SECRET_KEYS"),
    ],
)
def test_a_bad_setting_says_what_to_write(key, value, words):
    assert words in refused(**{key: value})


def test_delivery_is_left_to_the_test_under_testing():
    assert load().delivery == "thread"
    assert load(TESTING=True).delivery == "process"

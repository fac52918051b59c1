"""Settings of the libraries that would be misread in silence refuse to start (K7)."""

import sys
import types

import pytest
from flask import Flask
from flask_mailman.backends.locmem import EmailBackend

from e2ereset.errors import SettingsError
from e2ereset.libraries import NUMBERS, SWITCHES, check_switches_meant_off
from e2ereset.server.app import create_app

KEY = {"SECRET_KEY": "a key for tests only"}
BACKENDS = "MAIL_BACKEND is .* Known: smtp, file, console"
SOME_SWITCHES = (
    *("MAIL_USE_TLS", "MAIL_USE_SSL", "MAIL_USE_LOCALTIME"),
    *("RATELIMIT_ENABLED", "RATELIMIT_HEADERS_ENABLED", "RATELIMIT_SWALLOW_ERRORS"),
    *("DEBUG", "TESTING", "PROPAGATE_EXCEPTIONS", "TRAP_HTTP_EXCEPTIONS"),
    *("SESSION_COOKIE_SECURE", "SQLALCHEMY_ECHO", "E2ERESET_TWO_FACTOR"),
    *("E2ERESET_BYPASS_TOKENS", "E2ERESET_SERVER_TRUST_REQUEST_ID"),
)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts a server whose environment has these variables."""
    monkeypatch.setenv("E2ERESET_INSTANCE", str(tmp_path))
    monkeypatch.setenv("FLASK_SECRET_KEY", "a key for tests only")

    def started(**environ):
        for name, value in environ.items():
            monkeypatch.setenv(f"FLASK_{name}", value)
        return create_app()

    return started


@pytest.mark.parametrize("key", SOME_SWITCHES)
def test_a_switch_written_as_python_writes_it_refuses_to_start(start, key):
    with pytest.raises(SettingsError, match=f"(?is){key}.*false"):
        start(**{key: "False"})


@pytest.mark.parametrize("key", SOME_SWITCHES)
def test_a_switch_written_as_json_is_taken(start, key):
    assert start(**{key: "false"}).config[key] is False


@pytest.mark.parametrize("value", ["True", "yes", "off", "FALSE"])
def test_no_other_word_passes_for_a_switch(start, value):
    with pytest.raises(SettingsError, match="FLASK_MAIL_USE_TLS=false"):
        start(MAIL_USE_TLS=value)


@pytest.mark.parametrize(
    "key", ["MAIL_PORT", "MAIL_TIMEOUT", "MAX_FORM_PARTS", "E2ERESET_TRIES_PER_DAY"]
)
@pytest.mark.parametrize("value", ["2x", '"25"', "true"])
def test_a_number_that_is_none_refuses_to_start(start, key, value):
    with pytest.raises(SettingsError, match=key):
        start(**{key: value})


@pytest.mark.parametrize("key", ["MAIL_PASSWORD", "MAIL_USERNAME", "RATELIMIT_STORAGE_URI"])
def test_a_text_that_reads_as_a_number_refuses_to_start_untold(start, key):
    with pytest.raises(SettingsError, match=key) as caught:
        start(**{key: "31415926"})
    assert "31415926" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("RATELIMIT_STRATEGY", "sliding", "RATELIMIT_STRATEGY must be one of .*fixed-window"),
        ("MAIL_SSL_CERTFILE", "/client.pem", "MAIL_SSL_CERTFILE is not used"),
        ("MAIL_SSL_KEYFILE", "/client.pem", "MAIL_SSL_KEYFILE is not used"),
        ("MAIL_BACKEND", "smpt", BACKENDS),
        ("MAIL_BACKEND", "SMTP", BACKENDS),
        ("MAIL_BACKEND", "flask_mailman.backends.smpt", BACKENDS),
        ("MAIL_BACKEND", "nowhere.at.all", BACKENDS),
    ],
)
def test_what_a_library_would_pass_over_refuses_to_start(start, key, value, words):
    with pytest.raises(SettingsError, match=words):
        start(**{key: value})


@pytest.mark.parametrize(
    "name",
    ["locmem", "flask_mailman.backends.locmem", "mine.EmailBackend", "mine", EmailBackend],
    ids=str,
)
def test_a_mail_backend_of_ones_own_is_taken(make_server, config, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "mine", types.ModuleType("mine"))
    sys.modules["mine"].EmailBackend = EmailBackend
    if name == "mine":
        monkeypatch.setitem(sys.modules, "flask_mailman.backends.mine", sys.modules["mine"])
    assert make_server(config | {"MAIL_BACKEND": name}).config["MAIL_BACKEND"] == name


@pytest.mark.parametrize("key", ["RATELIMIT_ENABLED", "MAIL_SUPPRESS_SEND"])
@pytest.mark.parametrize("value", ["False", "0", " off "])
def test_a_host_that_means_off_and_gets_on_is_told(key, value):
    with pytest.raises(SettingsError, match=key):
        check_switches_meant_off({key: value})


@pytest.mark.parametrize("value", ["1", "True", "", True, False, 1])
def test_a_host_that_gets_what_it_means_is_left_alone(value):
    check_switches_meant_off({"MAIL_USE_TLS": value})


@pytest.mark.parametrize(("kind", "known"), [(bool, SWITCHES), (int, NUMBERS)])
def test_all_switches_and_numbers_of_flask_are_known(kind, known):
    assert {k for k, v in Flask.default_config.items() if type(v) is kind} <= set(known)

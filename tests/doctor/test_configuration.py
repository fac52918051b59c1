"""What `doctor` finds in settings, environment, mail relay and rate store."""

import secrets

import pytest
from aiosmtpd.smtp import AuthResult
from click.testing import CliRunner

from e2ereset.doctor.secret_keys import PUBLISHED
from e2ereset.server.checks import WORKER
from e2ereset.server.cli import main
from tests.kit.databases import only_sqlite
from tests.kit.doctor import ANYWHERE, PRODUCTION, STRONG, Report, ask, relay
from tests.kit.network import free_port

pytestmark = pytest.mark.long

ONLY_TOTP = {"E2ERESET_METHODS": ["totp"]}
SIGN_IN = {"MAIL_USERNAME": "u", "MAIL_PASSWORD": "relay-Pa55w0rd"}


@pytest.mark.parametrize(
    ("code", "level", "changes"),
    [
        ("testing-on", "error", {"TESTING": True}),
        ("debug-on", "error", {"DEBUG": True}),
        ("sql-echo-on", "warning", {"SQLALCHEMY_ECHO": True}),
        ("two-factor-off", "warning", {"E2ERESET_TWO_FACTOR": False}),
        ("without-method-allowed", "warning", {"E2ERESET_WITHOUT_METHOD": "allow"}),
        ("bypass-tokens-allowed", "note", {}),
        ("methods-password-only", "warning", {"E2ERESET_METHODS": ["password"]}),
        ("password-as-factor", "note", {}),
        ("email-as-factor", "note", {}),
        ("email-before-totp", "note", {"E2ERESET_METHODS": ["email", "totp"]}),
        ("email-code-short", "note", {}),
        ("totp-code-lives-long", "note", {}),
        ("tries-an-hour-many", "warning", {"E2ERESET_TRIES_PER_HOUR": 40}),
        ("mail-backend-for-tests", "error", {"MAIL_BACKEND": "locmem"}),
        ("mail-backend-for-tests", "warning", {"MAIL_BACKEND": "console"} | ONLY_TOTP),
        ("mail-to-files", "note", {"MAIL_BACKEND": "file"}),
        ("mail-sender-missing", "warning", {"MAIL_DEFAULT_SENDER": None}),
        ("mail-tls-twice", "error", {"MAIL_USE_TLS": True, "MAIL_USE_SSL": True}),
        ("mail-in-clear", "warning", {"MAIL_SERVER": ANYWHERE}),
        ("mail-in-clear", "error", {"MAIL_SERVER": ANYWHERE} | SIGN_IN),
        ("operations-open", "warning", {"E2ERESET_OPERATIONS_BIND": "0.0.0.0:9100"}),
        ("page-absent", "error", {"E2ERESET_PAGES_BASE": "nope.html"}),
        ("secret-known", "error", {"SECRET_KEY": PUBLISHED[0]}),
        ("secret-guessable", "error", {"SECRET_KEY": "1Ab2Cd3Ef4" * 3}),
        ("secret-guessable", "error", {"SECRET_KEY": "0010110111001011010011101"}),
        ("secret-weak", "warning", {"SECRET_KEY": "Jupiter-Saturn-7"}),
        ("secret-weak", "warning", {"SECRET_KEY": "a key of words that somebody typed"}),
        ("secret-guessable", "error", {"E2ERESET_OPERATIONS_TOKEN": "dev-dev-dev-dev-dev"}),
        ("rate-limit-off", "warning", {"RATELIMIT_ENABLED": False}),
        ("rate-store-open", "note", {"E2ERESET_WITHOUT_RATE_STORE": "allow"}),
        ("parameters-shown", "warning", {"SQLALCHEMY_ENGINE_OPTIONS": {"hide_parameters": False}}),
        ("bcrypt-cost-low", "error", {"TESTING": True, "E2ERESET_SERVER_BCRYPT_COST": 4}),
        ("password-short", "note", {}),
        ("public-url-missing", "note", {}),
        ("proxy-trusted", "note", {"E2ERESET_SERVER_PROXY_HOPS": 1}),
    ],
)
def test_a_setting_is_found(doctor, code, level, changes):
    report = doctor(**changes)
    assert report.level(code) == level
    assert report.findings[code]["change"]


def test_settings_as_the_standards_want_them_give_no_note(doctor):
    strict = {"E2ERESET_TOTP_WINDOW": 0, "E2ERESET_EMAIL_CODE_DIGITS": 7}
    for changes in (ONLY_TOTP | strict, {"E2ERESET_TWO_FACTOR": False}):
        assert doctor(**changes).level("standards") == "ok"
    assert doctor().level("email-before-totp") is None


def test_a_server_that_knows_where_people_reach_it_has_links(doctor):
    report = doctor(E2ERESET_SERVER_PUBLIC_URL="https://chat.example.org")
    assert report.level("links") == "ok"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("RATELIMIT_STORAGE_URL", "RATELIMIT_STORAGE_URI"),
        ("SQLALCHEMY_DATABASE_URL", "SQLALCHEMY_DATABASE_URI"),
        ("FLASK_E2ERESET_METHODS", "E2ERESET_METHODS"),
        ("E2E_RESET_METHODS", "E2ERESET_METHODS"),
    ],
)
def test_a_misspelled_setting_is_told_with_the_right_one(doctor, written, meant):
    finding = doctor(**{written: "x"}).findings["setting-misspelled"]
    assert (finding["level"], finding["change"]) == ("warning", f"{meant} = ...")


def test_a_relay_that_is_not_named_is_noted(make_server, config, engine):
    changes = {k: v for k, v in PRODUCTION.items() if k != "MAIL_SERVER"}
    assert ask(make_server(config | changes), "--no-mail").level("mail-server-default") == "note"


def test_a_variable_without_its_prefix_is_found(doctor, monkeypatch):
    monkeypatch.setenv("E2ERESET_METHODS", '["totp"]')
    assert doctor().findings["variable-unread"]["change"] == "FLASK_E2ERESET_METHODS=..."


@pytest.mark.parametrize(
    ("code", "level", "args"),
    [
        ("limiter-in-memory", "warning", ["--workers", "2"]),
        ("limiter-in-memory", "error", ["--machines", "2"]),
        ("proxy-untrusted", "warning", ["--machines", "2"]),
        pytest.param("sqlite-shared", "note", ["--workers", "2"], marks=only_sqlite),
        pytest.param("sqlite-on-machines", "error", ["--machines", "2"], marks=only_sqlite),
    ],
)
def test_what_the_number_of_workers_makes_of_it(doctor, code, level, args):
    assert doctor(*args).level(code) == level


@pytest.mark.parametrize(
    ("code", "level", "variables", "changes"),
    [
        ("worker-class-other", "warning", {"GUNICORN_CMD_ARGS": "-k gthread"}, {}),
        ("worker-class-other", "warning", {"GUNICORN_CMD_ARGS": "--worker-class=sync"}, {}),
        ("worker-class-other", None, {"GUNICORN_CMD_ARGS": f"--worker-class {WORKER}"}, {}),
        ("worker-class-other", None, {"GUNICORN_CMD_ARGS": "--keep-alive 3"}, {}),
        ("proxy-none", "note", {"HOST": "0.0.0.0"}, {}),
        ("proxy-none", None, {"HOST": "::1"}, {}),
        ("proxy-none", None, {"HOST": "0.0.0.0"}, {"E2ERESET_SERVER_PROXY_HOPS": 1}),
    ],
)
def test_who_collects_requests_is_told(doctor, monkeypatch, code, level, variables, changes):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert doctor(**changes).level(code) == level


@pytest.mark.parametrize("variable", ["3", "1"])
def test_the_number_of_workers_comes_from_the_environment(make, engine, monkeypatch, variable):
    monkeypatch.setenv("WEB_CONCURRENCY", variable)
    report = Report(make().test_cli_runner().invoke(args=["doctor", "--json", "--no-mail"]))
    assert ("limiter-in-memory" in report.bad) == (variable == "3")


@pytest.fixture
def refused(monkeypatch, instance):
    """Runs `e2ereset doctor` as an operator does, with these variables."""

    def run(**variables):
        monkeypatch.setenv("E2ERESET_INSTANCE", str(instance))
        for name, value in ({"SECRET_KEY": STRONG} | variables).items():
            monkeypatch.setenv(f"FLASK_{name}", value)
        args = ["doctor", "--json", "--no-mail", "--workers", "1"]
        report = Report(CliRunner().invoke(main, args))
        assert report.status == 2
        return report

    return run


def test_settings_that_refuse_are_a_finding_and_the_rest_goes_on(refused, engine, database_uri):
    report = refused(E2ERESET_METHOD="1", SQLALCHEMY_DATABASE_URI=database_uri)
    assert "E2ERESET_METHOD is not a setting" in report.findings["settings-refused"]["text"]
    assert report.level("tables") == "ok"


@pytest.mark.parametrize(
    ("code", "variables"),
    [
        ("limiter-store-unknown", {"RATELIMIT_STORAGE_URI": "nothing://redis-Pa55w0rd@h"}),
        ("settings-refused", {"RATELIMIT_STORAGE_URI": "nothing://redis-Pa55w0rd@h"}),
        ("settings-refused", {"MAIL_TIMEOUT": "soon", "MAIL_PORT": "smtp"}),
        ("settings-refused", {"RATELIMIT_STORAGE_OPTIONS": "none"}),
        ("database-unknown", {"SQLALCHEMY_DATABASE_URI": "database-Pa55w0rd"}),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_finding(refused, code, variables):
    assert refused(**variables).level(code) == "error"


def test_a_configuration_file_that_does_not_load_is_a_finding(refused, instance):
    (instance / "config.py").write_text("SECRET_KEY = ")
    report = refused()
    assert "SyntaxError" in report.findings["settings-refused"]["text"]
    assert report.level("database-unknown") == "error"


def test_a_relay_that_is_gone_is_found(make, engine):
    app = make()
    assert ask(app).level("relay-gone") == "error"
    assert ask(app, "--no-mail").level("relay-gone") is None


@pytest.fixture
def ask_relay(make, engine):
    def run(options, **changes):
        with relay(**options) as port:
            return ask(make(MAIL_PORT=port, **changes))

    return run


@pytest.mark.parametrize(
    ("code", "level", "option", "changes"),
    [
        ("relay-without-starttls", "error", None, {"MAIL_USE_TLS": True}),
        ("relay-starttls-unused", "note", "tls_context", {"MAIL_SERVER": ANYWHERE}),
        ("relay-certificate", "error", "tls_context", {"MAIL_USE_TLS": True}),
        ("relay-certificate", "error", "ssl_context", {"MAIL_USE_SSL": True}),
    ],
)
def test_how_the_relay_encrypts_is_told(ask_relay, certificate, code, level, option, changes):
    options = {option: certificate.context} if option else {}
    assert ask_relay(options, **changes).level(code) == level


def refuse(server, session, envelope, mechanism, data):
    return AuthResult(success=False, handled=False)


def test_a_relay_that_refuses_the_password_is_found(ask_relay):
    options = {"authenticator": refuse, "auth_require_tls": False}
    assert ask_relay(options, **SIGN_IN).level("relay-refuses-sign-in") == "error"


def test_a_store_that_is_gone_is_found(doctor):
    uri = f"redis://:redis-Pa55w0rd@127.0.0.1:{free_port()}/0"
    assert doctor(RATELIMIT_STORAGE_URI=uri).level("limiter-store-gone") == "error"


def test_random_keys_are_strong(doctor):
    keys = [make(16) for make in (secrets.token_urlsafe, secrets.token_hex) for _ in range(50)]
    assert doctor(E2ERESET_SECRET_KEYS=[STRONG, *keys]).level("secret-keys") == "ok"

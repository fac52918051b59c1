"""`doctor`: every finding, each with the bad state set up for real."""

import re
import secrets
import time
import tomllib

import pytest
from aiosmtpd.smtp import AuthResult
from click.testing import CliRunner
from flask import current_app
from flask_migrate import stamp, upgrade
from sqlalchemy import NullPool, delete, insert, text, update

from e2ereset.audit.models import AuditHead
from e2ereset.cli.doctor import deployment_of
from e2ereset.crypto import KeyRing
from e2ereset.doctor import CHECKS
from e2ereset.doctor.deployment import Deployment
from e2ereset.doctor.findings import Part, check, examine, found
from e2ereset.doctor.secret_keys import PUBLISHED
from e2ereset.factors.models import Totp
from e2ereset.jobs.models import Job
from e2ereset.jobs.queue import IDLE, NORMAL
from e2ereset.permissions.models import Permission, RolePermission
from e2ereset.server.checks import CHECKS_OF_SERVER, WORKER
from e2ereset.server.cli import main
from e2ereset.server.migrations import add_migrations
from e2ereset.server.people.password_hashing import PasswordHasher
from tests.kit.audit import write_row
from tests.kit.databases import ON_POSTGRESQL, only_postgresql
from tests.kit.doctor import ANYWHERE, PRODUCTION, STRONG, STRONGER, Report, ask, relay
from tests.kit.network import free_port
from tests.kit.paths import ROOT
from tests.kit.server import make_user

PACKAGES = (ROOT / "e2ereset" / "doctor", ROOT / "e2ereset" / "server")
SOURCES = [path.read_text("utf-8") for folder in PACKAGES for path in folder.glob("*.py")]
WORDS = [tomllib.loads((folder / "findings.toml").read_text("utf-8")) for folder in PACKAGES]
LEVELS = {
    code: one["level"] for words in WORDS for area in words.values() for code, one in area.items()
}
ONLY_TOTP = {"E2ERESET_METHODS": ["totp"]}
SIGN_IN = {"MAIL_USERNAME": "u", "MAIL_PASSWORD": "relay-Pa55w0rd"}
on_sqlite = pytest.mark.skipif(ON_POSTGRESQL, reason="is about files of SQLite")


@pytest.fixture
def doctor(make, engine):
    """Runs `doctor` on such a server, over a database with all its tables."""
    return lambda *args, **changes: ask(make(**changes), "--no-mail", *args)


@pytest.fixture
def migrated(make, connect):
    """Makes such a server on a database to which all migrations have been applied."""

    def migrate(**changes):
        app = add_migrations(make(**changes))
        with app.app_context():
            upgrade()
        return app

    return migrate


def test_a_clean_configuration_gives_nothing_above_a_note(migrated):
    with relay() as port:
        report = ask(migrated(MAIL_PORT=port), "--strict")
    # The tests' own PostgreSQL writes nothing to the disk, we are its superuser, and a pooler may
    # stand before it.
    own = {"not-durable", "superuser", "statement-timeout-unset", "pooler-without-limits"}
    assert report.bad <= own
    if not ON_POSTGRESQL:
        assert (report.bad, report.status) == (set(), 0)
    assert report.level("relay") == "ok"


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
        pytest.param("sqlite-shared", "note", ["--workers", "2"], marks=on_sqlite),
        pytest.param("sqlite-on-machines", "error", ["--machines", "2"], marks=on_sqlite),
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


@pytest.mark.parametrize("args", [[], ["--strict"]])
def test_errors_exit_with_2(doctor, args):
    assert doctor(*args).status == 2  # no migration has run


@pytest.mark.parametrize(("args", "status"), [([], 0), (["--strict"], 1)])
def test_warnings_exit_with_1_where_one_is_strict(migrated, args, status):
    report = ask(migrated(RATELIMIT_ENABLED=False), "--no-mail", *args)
    assert report.status == (2 if "not-durable" in report.bad else status)


def test_people_read_what_to_change_below_each_finding(engine, make_server, config):
    result = make_server(config).test_cli_runner().invoke(args=["doctor", "--no-mail"])
    assert re.search(r"error +settings +testing-on: .*\n +-> TESTING = False\n", result.output)
    assert re.search(r"ok +settings +settings-accepted: ", result.output)


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


def test_a_database_that_is_gone_is_one_finding(doctor):
    uri = f"postgresql+psycopg://u:database-Pa55w0rd@127.0.0.1:{free_port()}/d"
    report = doctor(SQLALCHEMY_DATABASE_URI=uri)
    assert report.bad == {"database-gone"}
    assert "OperationalError" in report.findings["database-gone"]["text"]


def test_a_file_that_is_not_there_is_found_and_not_made(doctor, tmp_path):
    path = tmp_path / "none.sqlite3"
    assert doctor(SQLALCHEMY_DATABASE_URI=f"sqlite:///{path}").bad == {"database-missing"}
    assert not path.exists()


def test_a_database_we_do_not_run_on_is_found():
    codes = {f.code for f in examine(Deployment(config={}, engine=StrangeEngine()), CHECKS)}
    assert "database-unsupported" in codes
    assert "check-failed" not in codes


class StrangeEngine:
    """Of a database whose driver is not installed here."""

    class dialect:
        name = "mysql"


def test_a_database_without_migrations_is_found(make, connect):
    connect().connect().close()  # a SQLite file comes with its first connection
    report = ask(make(), "--no-mail")
    assert {"schema-incomplete", "migrations-behind"} <= report.bad
    assert "check-failed" not in report.bad


def test_a_column_that_is_missing_is_found(doctor, session):
    session.execute(text("ALTER TABLE e2ereset_key_pairs DROP COLUMN set_at"))
    session.commit()
    assert "e2ereset_key_pairs.set_at" in doctor().findings["schema-incomplete"]["text"]


def test_a_database_at_an_older_migration_is_found(make, engine):
    app = add_migrations(make())
    with app.app_context():
        stamp(revision="0002")
    assert "at migration 0002" in ask(app, "--no-mail").findings["migrations-behind"]["text"]


@on_sqlite
def test_a_sqlite_that_is_not_durable_is_found(make, engine):
    with make().app_context():
        deployment = deployment_of(current_app)
        with deployment.database.connect() as connection:
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
        assert "sqlite-not-durable" in {f.code for f in examine(deployment, CHECKS)}


@pytest.mark.parametrize(
    ("off", "found"),
    [(0, None), (5, "clock-off"), (-5, "clock-off"), (40, "clock-wrong"), (-40, "clock-wrong")],
)
def test_a_clock_that_is_off_is_found(make, engine, clock, off, found):
    app = make()
    clock.now += off
    assert ask(app, "--no-mail").bad & {"clock-off", "clock-wrong"} == ({found} if found else set())


def test_a_host_has_the_checks_of_the_library(make_host):
    host = make_host(RATELIMIT_STORAGE_URI="memory://")
    report = Report(host.run("e2ereset", "doctor", "--json", "--no-mail", "--workers", "1"))
    assert {"testing-on", "secret-weak", "parameters-shown"} <= report.bad
    assert report.level("tables") == "ok"
    assert report.level("migrations") is None


TO_USER = {"permission": "edit-other-user-e2ee", "role": "user"}


@pytest.mark.parametrize(
    ("code", "level", "statements"),
    [
        ("reset-others-nobody", "note", [delete(RolePermission)]),
        ("reset-others-everybody", "warning", [insert(RolePermission).values(TO_USER)]),
        ("permissions-unseeded", "note", [delete(RolePermission), delete(Permission)]),
    ],
)
def test_who_can_reset_the_keys_of_others_is_told(doctor, session, code, level, statements):
    for statement in statements:
        session.execute(statement)
    session.commit()
    assert doctor().level(code) == level


def queue(session, due_in=None, **facts):
    if due_in is not None:
        facts |= {"due_at": int(time.time()) + due_in, "sealed": ""}
    facts = {"kind": "reset", "recipient": "b@x.org", "created_at": 1, "attempts": 0} | facts
    session.add(Job(**facts))
    session.commit()


@pytest.mark.parametrize(
    ("delivery", "words"), [("thread", "see why"), ("process", "E2ERESET_DELIVERY = 'thread'")]
)
def test_mails_that_nobody_delivers_are_found(doctor, session, delivery, words):
    queue(session, due_in=-400)
    finding = doctor(E2ERESET_DELIVERY=delivery).findings["outbox-late"]
    assert finding["level"] == "error"
    assert words in finding["change"]


@pytest.mark.parametrize(
    ("code", "level", "facts"),
    [
        ("outbox", "ok", {"due_in": -400, "urgency": IDLE}),
        ("outbox", "ok", {"due_in": -400, "urgency": IDLE, "outcome": "OperationalError"}),
        ("outbox", "ok", {"delivered_at": 5, "outcome": "delivered", "attempts": 1}),
        ("outbox-retried", "warning", {"due_in": 400, "outcome": "OSError", "attempts": 3}),
        ("outbox-failed", "warning", {"outcome": "Refused", "attempts": 30, "urgency": NORMAL}),
        ("outbox-failed", "warning", {"outcome": "Refused", "attempts": 30, "urgency": IDLE}),
    ],
)
def test_jobs_that_are_retried_or_given_up_are_found(doctor, session, code, level, facts):
    queue(session, **facts)
    assert doctor().level(code) == level


def test_hashes_that_nothing_can_verify_are_counted(doctor, session):
    for number, stored in enumerate(("$5$salt$hash", "", PasswordHasher(4).hash("x"), None)):
        make_user(session, f"user{number}", password_hash=stored)
    session.commit()
    report = doctor()
    assert report.level("hashes-unknown") == "warning"
    assert report.findings["hashes-unknown"]["text"].startswith("2 users")


def write_audit(app, at):
    runtime = app.extensions["e2ereset"]
    with runtime.transactions.begin() as session:
        write_row(runtime.audit, session, at=at)
    return runtime


def test_audit_rows_that_nobody_seals_are_found(make, engine):
    app = make()
    write_audit(app, int(time.time()) - 100)
    assert ask(app, "--no-mail").level("audit-unsealed") == "error"


def test_the_newest_head_is_told_and_one_that_was_changed_is_found(make, session):
    app = make()
    write_audit(app, int(time.time())).sealer.seal()
    assert "seals 1 rows" in ask(app, "--no-mail").findings["audit"]["text"]
    session.execute(update(AuditHead).values(at=1))
    session.commit()
    assert ask(app, "--no-mail").level("audit-broken") == "error"


def encrypt_under(session, key):
    secret = KeyRing([key]).encrypt("totp", "a", "x")
    session.add(Totp(account_id="a", secret=secret, enabled_at=1, last_step=0))
    session.commit()


def test_an_older_key_that_is_needed_is_counted(doctor, session):
    encrypt_under(session, STRONGER)
    report = doctor(E2ERESET_SECRET_KEYS=[STRONG, STRONGER])
    assert report.findings["old-key-needed"]["text"].startswith("1 texts or signatures are")


def test_a_sealed_audit_row_needs_no_key(make, engine):
    write_audit(make(), int(time.time())).sealer.seal()
    app = make(E2ERESET_SECRET_KEYS=[STRONGER, STRONG])
    assert app.test_cli_runner().invoke(args=["keys", "rotate"]).exit_code == 0
    assert ask(app, "--no-mail").level("old-key-idle") == "note"
    assert ask(make(E2ERESET_SECRET_KEYS=[STRONGER]), "--no-mail").level("key-lost") is None


def test_rows_under_a_key_that_is_gone_are_found(doctor, session):
    encrypt_under(session, STRONGER)
    assert doctor().level("key-lost") == "error"


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


@pytest.fixture
def instance(tmp_path):
    (tmp_path / "instance").mkdir(exist_ok=True)
    return tmp_path / "instance"


def write(path, text):
    path.write_text(text)
    path.chmod(0o644)


@pytest.mark.parametrize(
    ("code", "name"), [("secret-key-readable", "secret_key"), ("config-readable", "config.py")]
)
def test_a_file_that_others_can_read_is_found(doctor, config, instance, code, name):
    secret = config["SECRET_KEY"]
    write(instance / name, f"KEY = '{secret}'")
    assert doctor(SECRET_KEY=secret).level(code) == "error"
    instance.chmod(0o700)
    assert doctor(SECRET_KEY=secret).level(code) is None


def test_a_configuration_without_a_secret_in_it_is_for_everybody(doctor, instance):
    write(instance / "config.py", "E2ERESET_WORKSPACE = 'chat.example.org'")
    assert doctor().level("config-readable") is None


def test_a_folder_that_others_can_write_is_found(doctor, instance):
    instance.chmod(0o777)
    assert doctor().level("instance-writable") == "error"


@on_sqlite
def test_a_database_file_that_others_can_read_is_found(doctor, instance, tmp_path):
    (tmp_path / "test.sqlite3").chmod(0o644)
    assert doctor().level("database-readable") == "warning"


def test_a_check_that_raises_is_a_finding_without_its_text():
    @check("a", "odd", "All is well.")
    def odd(app):
        raise ValueError(STRONG)
        yield

    (failed,) = examine(Deployment(config={}), [odd])
    assert (failed.code, failed.text) == ("check-failed", "The check odd ended with ValueError.")


def test_what_needs_a_missing_part_is_left_out_with_all_that_it_would_show():
    checks = [
        check("a", "first", "-", shows=Part.DATABASE)(lambda app: iter([found("debug-on")])),
        check("a", "second", "-", Part.DATABASE, shows=Part.TABLES)(lambda app: iter([])),
        check("a", "third", "-", Part.TABLES)(lambda app: iter([])),
    ]
    assert [f.code for f in examine(Deployment(config={}), checks)] == ["debug-on"]


def test_random_keys_are_strong(doctor):
    keys = [make(16) for make in (secrets.token_urlsafe, secrets.token_hex) for _ in range(50)]
    assert doctor(E2ERESET_SECRET_KEYS=[STRONG, *keys]).level("secret-keys") == "ok"


def test_every_finding_stands_in_the_documentation_and_no_other():
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (\w+)", page, re.MULTILINE))
    assert rows == LEVELS | {"check-failed": "error"}


@pytest.mark.parametrize("code", LEVELS)
def test_every_finding_is_made_by_a_check(code):
    assert any(f'"{code}"' in source for source in SOURCES)


def test_every_check_has_a_code_of_its_own():
    codes = [check.code for check in (*CHECKS, *CHECKS_OF_SERVER)]
    assert len(set(codes)) == len(codes)


def test_files_that_could_not_be_looked_at_are_a_finding(make, engine, tmp_path):
    app = make()
    (tmp_path / "instance").rmdir()
    assert ask(app, "--no-mail").level("instance-missing") == "note"


@only_postgresql
def test_a_pool_that_can_not_be_counted_is_a_finding(doctor):
    report = doctor(SQLALCHEMY_ENGINE_OPTIONS={"poolclass": NullPool})
    assert report.level("connections-uncounted") == "note"

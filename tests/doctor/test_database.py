"""What `doctor` finds in the database: its kind, its tables, and what is in them."""

import time
from types import SimpleNamespace

import pytest
from flask import current_app
from flask_migrate import stamp
from sqlalchemy import NullPool, delete, insert, text, update

from e2ereset.audit.models import AuditHead
from e2ereset.cli.doctor import deployment_of
from e2ereset.crypto import KeyRing
from e2ereset.doctor import CHECKS
from e2ereset.doctor.deployment import Deployment
from e2ereset.doctor.findings import examine
from e2ereset.factors.models import Totp
from e2ereset.jobs.models import Job
from e2ereset.jobs.queue import IDLE, NORMAL
from e2ereset.permissions.models import Permission, RolePermission
from e2ereset.server.migrations import add_migrations
from e2ereset.server.people.password_hashing import PasswordHasher
from tests.kit.audit import write_row
from tests.kit.databases import only_postgresql, only_sqlite
from tests.kit.doctor import STRONG, STRONGER, ask
from tests.kit.network import free_port
from tests.kit.server import make_user


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
    strange = SimpleNamespace(dialect=SimpleNamespace(name="mysql"))
    codes = {f.code for f in examine(Deployment(config={}, engine=strange), CHECKS)}
    assert "database-unsupported" in codes
    assert "check-failed" not in codes


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


@only_sqlite
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


def test_tokens_that_skip_everything_are_named(doctor, world):
    assert doctor().level("bypass-tokens") == "ok"
    bob = world.person("bob", key=False)
    for name, expires in (("ci", None), ("old", 1)):
        world.sign_in(bob.id, expires_at=expires, name=name, bypass_two_factor=True)
    world.sign_in(bob.id, expires_at=None, name="plain")
    report = doctor()
    assert report.level("tokens-bypass-everything") == "warning"
    assert "everything: ci of bob." in report.findings["tokens-bypass-everything"]["text"]
    assert doctor(E2ERESET_BYPASS_TOKENS=False).level("bypass-tokens") == "ok"


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


@only_postgresql
def test_a_pool_that_can_not_be_counted_is_a_finding(doctor):
    report = doctor(SQLALCHEMY_ENGINE_OPTIONS={"poolclass": NullPool})
    assert report.level("connections-uncounted") == "note"

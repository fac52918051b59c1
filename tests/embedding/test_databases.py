"""Where a host's tables and ours may be: in memory, on a bind, in a schema, on one connection."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, inspect, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from e2ereset.audit.models import AuditRow
from e2ereset.errors import SettingsError
from e2ereset.factors.models import Totp
from e2ereset.testing import make_account
from e2ereset.vault.models import KeyPair
from tests.kit.databases import only_postgresql, only_sqlite
from tests.kit.host import BOB, SUE, reset_bob, users

# Both have one connection for all in a thread.
POOLS = pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool])


def assert_reset(host):
    """Sue resets bob's key by his name, which ends his sessions."""
    assert reset_bob(host).status_code == 200
    assert host.ended() == 1


@pytest.fixture
def in_schema():
    """What a host of a schema of its own has."""
    db = SQLAlchemy(metadata=MetaData(schema="app"))

    def make_schema(app):
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA app"))

    return {"db": db, "before": make_schema}


@only_sqlite
@POOLS
def test_in_memory_everything_works(with_users, pool):
    host = with_users(SQLAlchemy(engine_options={"poolclass": pool}), uri="sqlite://")
    assert_reset(host)
    assert host.wrong(SUE, 6) == ["totp-invalid"] * 5 + ["totp-max-attempts"]


@only_sqlite
@POOLS
def test_in_memory_we_neither_commit_nor_undo_what_the_host_has_open(make_host, pool):
    host = make_host(db=SQLAlchemy(engine_options={"poolclass": pool}), uri="sqlite:///:memory:")
    with host.app.app_context():
        session = host.db.session
        session.execute(text("CREATE TABLE n (x)"))
        session.commit()
        session.execute(text("INSERT INTO n VALUES (1)"))
        host.runtime.factors.status(BOB.id)
        session.commit()
        session.execute(text("INSERT INTO n VALUES (2)"))
        host.runtime.factors.begin_totp(BOB)
        session.rollback()
        assert session.scalars(text("SELECT x FROM n")).all() == [1]


@only_sqlite
def test_in_memory_our_rollback_is_ours_alone(make_host):
    host = make_host(uri="sqlite://", PROPAGATE_EXCEPTIONS=False)
    host.accounts.fault = RuntimeError("no")
    host.give_key()
    assert host.reset(BOB, host.code()).status_code == 503
    assert host.count(KeyPair) == 1


@only_sqlite
def test_in_memory_no_thread_is_started(make_host, caplog):
    host = make_host(uri="sqlite://", TESTING=False)
    host.post("/api/v1/users.resetE2EKey")
    assert not any(thread.running for thread in host.runtime.background)
    assert "no thread delivers mail" in caplog.text


def test_users_on_a_bind_are_found(with_users, make_database):
    db, binds = SQLAlchemy(), {"users": make_database("users")}
    assert_reset(with_users(db, users(db, "users"), SQLALCHEMY_BINDS=binds))


def test_models_of_plain_sqlalchemy_serve_too(with_users):
    class Base(DeclarativeBase):
        pass

    class Person(Base):
        __tablename__ = "host_users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        ended: Mapped[int] = mapped_column(default=0)

    assert_reset(with_users(SQLAlchemy(metadata=Base.metadata), Person))


@pytest.mark.parametrize("as_text", [True, False])
def test_our_tables_on_a_bind_are_ours(with_users, make_database, as_text):
    binds, db = {"keys": make_database("keys")}, SQLAlchemy()
    host = with_users(db, SQLALCHEMY_BINDS=binds, options={"bind_key": "keys"})
    if as_text:
        words = "SELECT name FROM host_users WHERE name = :name"

        def find(session, username):
            name = session.scalar(text(words), {"name": username})
            return name and make_account(name)

        host.accounts.find = find
    assert_reset(host)
    with host.app.app_context():
        tables = {key: inspect(e).get_table_names() for key, e in db.engines.items()}
    assert tables[None] == ["host_users"]
    assert "host_users" not in tables["keys"]
    assert host.count(Totp) == 1


def test_a_bind_that_there_is_not_is_refused_at_start(make_host):
    with pytest.raises(SettingsError, match="SQLALCHEMY_BINDS has no 'keys'"):
        make_host(options={"bind_key": "keys"})


@only_postgresql
def test_a_schema_of_the_hosts_metadata_is_ours_too(with_users, in_schema):
    host = with_users(**in_schema)
    assert_reset(host)
    assert host.count(AuditRow) == 1
    for command in (("permission", "list"), ("audit", "verify")):
        assert host.run("e2ereset", *command).exit_code == 0
    assert "schema-incomplete" not in host.run("e2ereset", "doctor", "--no-mail").output
    with host.app.app_context(), host.db.engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
        options = {"include_schemas": True, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, host.db.metadata) == []


@only_postgresql
def test_a_schema_that_lacks_our_tables_is_seen_by_doctor(make_host, in_schema):
    host = make_host(**in_schema)
    with host.app.app_context():
        host.db.drop_all()
    assert "schema-incomplete" in host.run("e2ereset", "doctor", "--no-mail").output

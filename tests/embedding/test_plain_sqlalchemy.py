"""A host without Flask-SQLAlchemy, and users of a model on a bind."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session, declarative_base

from e2ereset import Caller, E2EReset, SQLAlchemyAccounts, get_e2ereset
from e2ereset.audit.models import AuditRow
from e2ereset.errors import SettingsError
from e2ereset.testing import FakeClock, enrol_totp
from tests.kit.host import KEY

URL = "/api/v1/users.resetE2EKey"


class Plain:
    """An app whose user bob is in plain SQLAlchemy."""

    def __init__(self, engine):
        base, self.app, clock = declarative_base(), Flask("plain"), FakeClock()

        class User(base):
            __tablename__ = "users"
            id = sa.Column(sa.Integer, primary_key=True)
            username = sa.Column(sa.String(80))
            session_key = sa.Column(sa.String(40))

        accounts = SQLAlchemyAccounts(User, session_key="session_key")

        def identify():
            with Session(engine) as session:
                return Caller(account=accounts.account(session.get(User, 1)))

        self.app.config.from_mapping(TESTING=True, SECRET_KEY=KEY)
        options = {"accounts": accounts, "identify": identify, "clock": clock}
        E2EReset(self.app, engine=engine, metadata=base.metadata, **options)
        base.metadata.create_all(engine.engine)
        with Session(engine, join_transaction_mode="create_savepoint") as session:
            session.add(User(id=1, username="bob"))
            session.commit()
        self.User, self.metadata = User, base.metadata

    def reset(self):
        with self.app.app_context():
            runtime = get_e2ereset()
            with runtime.transactions.read() as session:
                bob = runtime.accounts.find(session, "Bob")
        code = enrol_totp(self.app, bob).code()
        return self.app.test_client().post(URL, headers={"x-2fa-code": code})


@pytest.fixture
def plain_engine(database_uri):
    engine = sa.create_engine(database_uri)
    yield engine
    engine.dispose()


def test_it_resets_and_ends_the_sessions_in_the_same_transaction(plain_engine):
    plain = Plain(plain_engine)
    assert plain.reset().data == b'{"success":true}'
    with Session(plain_engine) as session:
        assert len(session.get(plain.User, 1).session_key) == 32


def test_its_migrations_find_our_tables(plain_engine):
    plain = Plain(plain_engine)
    with plain_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), plain.metadata) == []
    assert {"users", "e2ereset_totp"} <= plain.metadata.tables.keys()


def test_its_commands_run(plain_engine):
    shown = (
        Plain(plain_engine).app.test_cli_runner().invoke(args=["e2ereset", "factor", "list", "BOB"])
    )
    assert (shown.exit_code, shown.exception) == (0, None)


def test_a_test_of_it_is_rolled_back_with_its_connection(plain_engine):
    with plain_engine.connect() as connection:
        transaction = connection.begin()
        if connection.dialect.name == "sqlite":  # its driver begins too late for savepoints
            connection.exec_driver_sql("BEGIN")
        plain = Plain(connection)
        assert plain.reset().status_code == 200
        transaction.rollback()
    with Session(plain_engine) as session:
        assert (session.query(plain.User).count(), session.query(AuditRow).count()) == (0, 0)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"engine": sa.create_engine("sqlite://")},
        {"metadata": sa.MetaData()},
        {"engine": "sqlite://", "metadata": sa.MetaData()},
        {"engine": sa.create_engine("sqlite://"), "metadata": declarative_base()},
        {"engine": sa.create_engine("sqlite://"), "metadata": sa.MetaData(), "db": SQLAlchemy()},
        {"engine": sa.create_engine("sqlite://"), "metadata": sa.MetaData(), "bind_key": "keys"},
    ],
)
def test_half_a_database_is_refused(given):
    accounts = SQLAlchemyAccounts(declarative_base_user())
    with pytest.raises(SettingsError, match=r"engine|metadata"):
        E2EReset(Flask("half"), accounts=accounts, identify=lambda: None, **given)


def declarative_base_user():
    class User(declarative_base()):
        __tablename__ = "users"
        id = sa.Column(sa.Integer, primary_key=True)
        username = sa.Column(sa.String(80))

    return User


@pytest.mark.parametrize("spelling", ["\u00dcnal", "\u00fcnal"])
def test_users_on_a_bind_are_found(make_host, make_database, spelling):
    db = SQLAlchemy()

    class User(db.Model):
        __bind_key__ = "people"
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.String(80))
        session_key = db.Column(db.String(40))

    accounts = SQLAlchemyAccounts(User, session_key="session_key")

    def identify():
        user = db.session.get(User, int(request.headers["Host-User"]))
        return Caller(account=accounts.account(user))

    binds = {"people": make_database("people")}
    host = make_host(db=db, accounts=accounts, identify=identify, SQLALCHEMY_BINDS=binds)
    with host.app.app_context():
        db.session.add(User(id=7, username="\u00dcnal"))
        db.session.commit()
    with host.runtime.transactions.read() as session:
        uenal = host.runtime.accounts.find(session, spelling)
    assert host.reset(uenal, host.code(uenal)).status_code == 200
    assert len(host.look(sa.select(User.session_key))) == 32

"""Fixtures for the tests of the standalone server: its bare database, and the whole app."""

import pytest
from flask_migrate import upgrade
from sqlalchemy.orm import Session

from e2ereset.records import name_key
from e2ereset.server.accounts import ServerAccounts
from e2ereset.server.app import create_app
from e2ereset.server.migrations import add_migrations
from e2ereset.server.people.models import Email, User, UserRole
from e2ereset.server.people.password_hashing import PasswordHasher
from e2ereset.server.tables import db
from e2ereset.testing import FakeClock
from tests.kit.described import hold

NOW = 1_800_000_000
HASHER = PasswordHasher(4)


@pytest.fixture
def engine(connect):
    """The bare database, with all tables and the first roles and permissions."""
    return connect()


@pytest.fixture
def session(engine):
    """A session on the bare database; what a test wants kept, it commits."""
    with Session(engine) as session:
        yield session


@pytest.fixture
def accounts():
    """The server's accounts, with the cheapest password hash."""
    return ServerAccounts(HASHER)


def make_user(session, username="bob", **facts):
    """Add a user with its roles and addresses; an address ending in ! is not verified."""
    roles, emails = facts.pop("roles", ["user"]), facts.pop("emails", [])
    facts = {"password_hash": None, "active": True, "kind": "user"} | facts
    user = User(
        id=f"id-of-{username}",
        username=username,
        username_key=name_key(username),
        name=username,
        created_at=NOW,
        roles=[UserRole(role=role) for role in roles],
        emails=[
            Email(
                address=mail.rstrip("!"),
                address_key=name_key(mail.rstrip("!")),
                verified=not mail.endswith("!"),
            )
            for mail in emails
        ],
        **facts,
    )
    session.add(user)
    session.flush()
    return user


@pytest.fixture
def clock():
    """The clock of the server under test."""
    return FakeClock(NOW)


def configuration(uri):
    """The configuration of a server under test: no rate limit, the cheapest password hash."""
    return {
        "TESTING": True,
        "SECRET_KEY": "a key for tests only",
        "SQLALCHEMY_DATABASE_URI": uri,
        "MAIL_BACKEND": "locmem",
        "RATELIMIT_ENABLED": False,
        "E2ERESET_SERVER_BCRYPT_COST": 4,
    }


@pytest.fixture
def config(database_uri):
    return configuration(database_uri)


@pytest.fixture
def make_server(tmp_path, monkeypatch, clock):
    """Makes servers whose instance folder is empty, and whose database has no tables yet."""
    (tmp_path / "instance").mkdir(exist_ok=True)
    monkeypatch.setenv("E2ERESET_INSTANCE", str(tmp_path / "instance"))
    made = []

    def make(config):
        made.append(hold(create_app(config, clock=clock)))
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


def migrate(app):
    """Run all migrations of this server; the server."""
    with add_migrations(app).app_context():
        upgrade()
    return app


@pytest.fixture
def app(make_server, config, engine):
    """The server over a database with all its tables."""
    return make_server(config)

"""The host's own fixtures, and those of e2ereset."""

import pytest

from e2ereset import get_e2ereset
from examples.host_app import models
from examples.host_app.app import create_app
from examples.host_app.models import Project, User, db

pytest_plugins = ["e2ereset.testing"]


@pytest.fixture
def app(tmp_path, monkeypatch, e2ereset_clock):
    """The host with ann, bob and the staff member sue, and a project."""
    config = {
        "TESTING": True,
        "SECRET_KEY": "a key for tests only",
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path / 'host.sqlite3'}",
        "RATELIMIT_ENABLED": False,
    }
    monkeypatch.setattr(models, "HASHING", "pbkdf2:sha256:1")
    app = create_app(config, clock=e2ereset_clock)
    with app.app_context():
        db.create_all()
        for name in ("ann", "bob", "sue"):
            user = User(name=name, email=f"{name}@x.org", email_confirmed=True)
            user.role = "admin" if name == "sue" else "user"
            user.set_password(name)
            db.session.add(user)
        db.session.add(Project(id=1, name="first"))
        db.session.commit()
    # Not within the context: requests would share its `g`, and with it Flask-Login's user.
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def account(app):
    """The account of somebody, by name."""

    def account(name):
        with app.app_context():
            return get_e2ereset().accounts.find(db.session, name)

    return account


@pytest.fixture
def sign_in(app):
    """Signs somebody in, on a client of their own."""

    def sign_in(name):
        client = app.test_client()
        assert client.post("/sign-in", data={"name": name, "password": name}).status_code == 200
        return client

    return sign_in

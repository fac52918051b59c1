"""Fixtures of the tests of `doctor`."""

import time

import pytest
from flask_migrate import upgrade

from e2ereset.server.migrations import add_migrations
from tests.kit.doctor import PRODUCTION, ask
from tests.kit.network import free_port


@pytest.fixture
def make(make_server, config, clock):
    """Makes a server that is fit for production, but for these changes of its settings."""

    def make(**changes):
        clock.now = time.time()
        return make_server(config | PRODUCTION | {"MAIL_PORT": free_port()} | changes)

    return make


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


@pytest.fixture
def instance(tmp_path):
    (tmp_path / "instance").mkdir(exist_ok=True)
    return tmp_path / "instance"

"""Tests of a host that are undone at their end: what we write is undone with them."""

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import inspect

from e2ereset.audit.models import AuditRow
from e2ereset.factors.models import Totp
from e2ereset.permissions.models import Permission
from e2ereset.testing import rolled_back
from tests.kit.host import BOB, SUE


@pytest.fixture
def noted(make_host):
    """A host that notes who comes, and whose own session is open in each request."""
    db = SQLAlchemy()

    class Note(db.Model):
        id = db.Column(db.Integer, primary_key=True)

    host = make_host(db=db)
    host.Note = Note
    host.app.before_request(lambda: db.session.query(Note).first() and None)

    @host.app.post("/note")
    def note():
        db.session.add(Note())
        db.session.commit()
        return "", 204

    return host


def counts(host):
    return host.count(host.Note), host.count(Totp), host.count(AuditRow), host.count(Permission)


def test_all_is_undone_at_the_end_of_the_block(noted):
    for _ in range(2):  # the second time as the first: what a process remembers does not count
        with rolled_back(noted.app):
            noted.post("/note")
            assert noted.reset(SUE, noted.code(SUE), username="bob").status_code == 200
            *rows, permissions = counts(noted)
            assert rows == [1, 1, 1]
            assert permissions > 0
        assert counts(noted) == (0, 0, 0, 0)


def test_a_failed_test_is_undone_too(noted):
    def fail():
        with rolled_back(noted.app):
            noted.post("/note")
            noted.code()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert counts(noted) == (0, 0, 0, 0)


def test_tries_are_counted_in_the_block(noted):
    with rolled_back(noted.app):
        noted.code()
        assert noted.wrong(BOB, 6) == ["totp-invalid"] * 5 + ["totp-max-attempts"]


def test_what_the_hosts_fixture_has_added_is_there(noted):
    with rolled_back(noted.app), noted.app.app_context():
        noted.db.session.add(noted.Note(id=7))
        noted.db.session.flush()
        with noted.runtime.transactions.read() as session:
            assert session.get(noted.Note, 7)
    assert noted.count(noted.Note) == 0


def test_after_a_rollback_of_the_hosts_nothing_is_kept_either(noted):
    with rolled_back(noted.app):
        with noted.app.app_context():
            noted.db.session.add(noted.Note())
            noted.db.session.flush()
            noted.db.session.rollback()
        noted.code()
        noted.post("/note")
        assert counts(noted)[:2] == (1, 1)
    assert counts(noted) == (0, 0, 0, 0)


def test_after_the_block_all_is_as_before(noted):
    with rolled_back(noted.app):
        noted.post("/note")
    noted.post("/note")
    noted.code()
    assert counts(noted)[:2] == (1, 1)
    with noted.app.app_context():
        assert inspect(noted.db.engine).get_table_names()


def test_a_connection_that_the_hosts_own_fixture_puts_in_is_used(noted):
    with noted.app.app_context():
        engines = noted.db.engines
    engine = engines[None]
    with engine.connect() as connection, connection.begin() as transaction:
        engines[None] = connection
        noted.post("/note")
        assert noted.reset(SUE, noted.code(SUE), username="bob").status_code == 200
        assert counts(noted)[:3] == (1, 1, 1)
        transaction.rollback()
    engines[None] = engine
    assert counts(noted) == (0, 0, 0, 0)

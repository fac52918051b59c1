"""Statements that are compiled once: they do what SQLAlchemy does, and are seen where one looks."""

import pytest
from sqlalchemy import bindparam, event, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from e2ereset.server.people.models import User
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table
from tests.kit.databases import only_postgresql
from tests.kit.postgres import execute

USERS = table(User)
ANN = {
    "id": "ann",
    "username": "Ann",
    "username_key": "ann",
    "name": "",
    "active": True,
    "kind": "user",
    "created_at": 0,
}
ADD = Statement(insert(USERS))
FLAGS = Statement(select(USERS.c.id, USERS.c.active).where(USERS.c.id == bindparam("who")))
RENAME = Statement(update(USERS).where(USERS.c.active).values(name=bindparam("new")))


@pytest.fixture
def heard(engine):
    """What a listener is told, as tracing is."""
    words = []
    event.listen(engine, "before_cursor_execute", lambda *args: words.append(args[2]))
    return words


@pytest.fixture(params=[False, True], ids=["quick", "watched"])
def connection(engine, request):
    if request.param:
        request.getfixturevalue("heard")
    with engine.connect() as connection:
        yield connection


def test_rows_have_names_types_and_counts(connection):
    assert ADD(connection, ANN).rowcount == 1
    [row] = FLAGS(connection, {"who": "ann"})
    assert (row.id, row.active) == ("ann", True)
    assert isinstance(row.active, bool)
    assert RENAME(connection, {"new": "Ann Ex"}).rowcount == 1
    assert not FLAGS(connection, {"who": "bob"})
    assert FLAGS(connection, {"who": "bob"}).first() is FLAGS(connection, {"who": "x"}).scalar()


def test_it_is_part_of_the_transaction(connection):
    ADD(connection, ANN)
    connection.rollback()
    assert not FLAGS(connection, {"who": "ann"})
    ADD(connection, ANN)
    connection.commit()
    connection.rollback()
    assert FLAGS(connection, {"who": "ann"})


def test_errors_are_those_of_sqlalchemy(connection):
    ADD(connection, ANN)
    with pytest.raises(IntegrityError) as caught:
        ADD(connection, ANN)
    assert caught.value.orig is not None


@pytest.mark.parametrize("others", [{}, {**ANN, "password_hash": "x"}])
def test_other_parameters_than_at_first_are_refused(connection, others):
    ADD(connection, ANN)
    with pytest.raises(TypeError, match="given"):
        ADD(connection, others)


def test_who_listens_to_statements_hears_it(engine, heard):
    with engine.begin() as connection:
        ADD(connection, ANN)
    assert [words.split()[0] for words in heard] == ["INSERT"]


def test_who_executes_statements_in_a_way_of_its_own_does_so(engine):
    words = []
    event.listen(engine, "do_execute", lambda *args: words.append(args[1]))
    with engine.begin() as connection:
        ADD(connection, ANN)
    assert words[-1].startswith("INSERT")  # the first connection asks for the version, too


@only_postgresql
def test_a_broken_connection_is_not_used_again(engine):
    with engine.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        execute(engine.url, f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(DBAPIError) as caught:
            FLAGS(connection, {"who": "ann"})
    assert caught.value.connection_invalidated
    with engine.connect() as connection:
        assert not FLAGS(connection, {"who": "ann"})

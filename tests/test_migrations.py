"""The migrations of the server: one line, up to the tables of the models and down to nothing."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, select, text

from e2ereset import get_e2ereset
from e2ereset.audit import Entry, verify
from e2ereset.models import RolePermission
from e2ereset.server.app import add_migrations
from e2ereset.server.database import migrations_folder
from e2ereset.server.models import db


@pytest.fixture
def migrated(make_server, config):
    """An app context over a database that was upgraded from nothing."""
    with add_migrations(make_server(config)).app_context():
        upgrade()
        yield


def test_there_is_one_head():
    assert len(ScriptDirectory(migrations_folder()).get_heads()) == 1


def test_an_upgraded_database_is_what_the_models_say(migrated):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []


def test_partial_indexes_keep_their_conditions(migrated):
    inspector, dialect = inspect(db.engine), db.engine.dialect.name
    for table in ("e2ereset_outbox", "e2ereset_audit"):
        indexes = inspector.get_indexes(table)
        assert any(f"{dialect}_where" in index["dialect_options"] for index in indexes)


def test_an_upgraded_database_has_the_first_permissions(migrated):
    grants = select(RolePermission.permission, RolePermission.role)
    with db.engine.connect() as connection:
        assert ("edit-other-user-e2ee", "admin") in set(map(tuple, connection.execute(grants)))


def test_upgrading_again_changes_nothing(migrated):
    upgrade()


def test_a_downgrade_to_the_base_leaves_no_table(migrated):
    downgrade(revision="base")
    assert inspect(db.engine).get_table_names() == ["alembic_version"]


def test_a_way_down_is_a_way_up_again(migrated):
    downgrade(revision="base")
    upgrade()
    assert "e2ereset_key_pairs" in inspect(db.engine).get_table_names()


def test_a_log_from_before_the_purges_is_sealed_anew(make_server, config):
    with add_migrations(make_server(config)).app_context():
        upgrade(revision="0001")
        runtime = get_e2ereset()
        with runtime.transactions.begin() as session:
            entry = Entry(at=1, action="login", caller="bob", outcome="passed")
            runtime.audit.write(session, entry)
            session.execute(text("UPDATE e2ereset_audit SET position = 0"))
            head = "INSERT INTO e2ereset_audit_heads VALUES (1, 'root', '[]', 1, 'digest')"
            session.execute(text(head))
        upgrade()
        assert runtime.sealer.seal() == 1
        with runtime.transactions.read() as session:
            assert verify(session, runtime.keyring) == []


def test_a_database_that_is_in_use_goes_up_and_keeps_its_people(make_server, config):
    with add_migrations(make_server(config)).app_context():
        upgrade(revision="0002")
        with db.engine.begin() as connection:
            for statement in (
                "INSERT INTO users VALUES ('b', 'bob', 'bob', 'Bob', 'hash', true, 'user', 1)",
                "INSERT INTO user_roles VALUES ('b', 'user')",
                "INSERT INTO tokens VALUES ('digest', 'b', 'login', NULL, false, 1, 9)",
            ):
                connection.execute(text(statement))
        upgrade()
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT password_hash FROM users")) == "hash"
            assert connection.scalar(text("SELECT count(*) FROM tokens")) == 1

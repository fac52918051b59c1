"""The migrations of the server: one line, up to the tables of the models and down to nothing."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import MetaData, inspect, select, text

from e2ereset.server.migrations import add_migrations
from e2ereset.server.tables import db

pytestmark = pytest.mark.long


@pytest.fixture
def empty(make_server, config):
    """An app context over an empty database."""
    with add_migrations(make_server(config)).app_context():
        yield


@pytest.fixture
def migrated(empty):
    """The same, after all migrations."""
    upgrade()


def rows_of(query):
    with db.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def insert(statement, *rows):
    with db.engine.begin() as connection:
        connection.execute(text(statement), rows)


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
    grants = rows_of("SELECT permission, role FROM e2ereset_role_permissions")
    assert ("edit-other-user-e2ee", "admin") in grants


def test_a_way_down_leaves_no_table_and_is_a_way_up_again(migrated):
    downgrade(revision="base")
    assert inspect(db.engine).get_table_names() == ["alembic_version"]
    for _ in range(2):
        upgrade()
        assert "e2ereset_key_pairs" in inspect(db.engine).get_table_names()


def reflected(connection):
    """The tables that the database has, without Alembic's own."""
    metadata = MetaData()
    metadata.reflect(connection)
    return {t.name: t for t in metadata.sorted_tables if t.name != "alembic_version"}


def put_a_row_into_each_table():
    """The rows by table. Texts are "x" and numbers 1, so that each foreign key leads to a row."""
    rows = {}
    with db.engine.begin() as connection:
        for name, table in reflected(connection).items():
            rows[name] = {c.name: VALUES[c.type.python_type] for c in table.columns}
            connection.execute(table.insert(), rows[name])
    return rows


VALUES = {str: "x", bool: True, int: 1}


def assert_kept(rows):
    """Each of the rows is in its table, in all columns that both have; the tables are all there."""
    with db.engine.connect() as connection:
        tables = reflected(connection)
        for name, row in rows.items():
            columns = [c for c in tables[name].columns if c.name in row]
            kept = connection.execute(select(*columns)).mappings()
            assert {c.name: row[c.name] for c in columns} in list(map(dict, kept)), name


@pytest.mark.parametrize("revision", ["0002", "0003"])
def test_a_database_that_is_in_use_goes_up_and_keeps_every_row(empty, revision):
    upgrade(revision=revision)
    rows = put_a_row_into_each_table()
    upgrade()
    assert_kept(rows)


def test_a_database_that_goes_down_by_one_version_keeps_every_row(migrated):
    rows = put_a_row_into_each_table()
    downgrade(revision="0003")
    assert_kept({name: row for name, row in rows.items() if name not in NEWER})


NEWER = {"custom_roles", "left_rooms", "room_roles", "machine_grants", "e2ereset_kept_requests"} | {
    "e2ereset_passkeys",
    "e2ereset_passkey_challenges",
    "e2ereset_reset_holds",
}
"""The tables that version 3 does not have."""


COLUMNS = "(id, username, username_key, name, active, kind, created_at)"
USERS = f"INSERT INTO users {COLUMNS} VALUES (:id, :name, :key, '', true, 'user', 1)"
COMPOSED, DECOMPOSED = "ren\u00e9", "rene\u0301"


def test_what_waits_in_the_outbox_gets_its_urgency(empty):
    upgrade(revision="0002")
    outbox = "INSERT INTO e2ereset_outbox (kind, recipient, created_at, due_at, attempts)"
    kinds = [{"kind": kind} for kind in ("code", "key-reset", "code-asked")]
    insert(f"{outbox} VALUES (:kind, 'b@x.org', 1, 1, 0)", *kinds)
    upgrade()
    found = rows_of("SELECT kind, urgency FROM e2ereset_outbox ORDER BY urgency")
    assert found == [("code", 0), ("key-reset", 1), ("code-asked", 2)]


def upgrade_with(*names):
    """Upgrade a database that has users of these names, stored as before; the new keys."""
    upgrade(revision="0002")
    users = [{"id": name, "name": name, "key": name.casefold()} for name in names]
    insert(USERS, *users)
    mails = [user | {"row": row} for row, user in enumerate(users)]
    insert("INSERT INTO emails VALUES (:row, :id, :name, :key, true)", *mails)
    upgrade()
    keys = "SELECT username_key FROM users UNION ALL SELECT address_key FROM emails"
    return [key for (key,) in rows_of(keys)]


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["Stra\u00dfe", "bob"], {"stra\u00dfe", "bob"}),
        ([DECOMPOSED], {COMPOSED}),
        # The new key of the first is the old key of the second.
        ([DECOMPOSED + "ss", COMPOSED + "\u00df"], {COMPOSED + "ss", COMPOSED + "\u00df"}),
    ],
)
def test_stored_names_are_folded_anew(empty, names, keys):
    found = upgrade_with(*names)
    assert (set(found), len(found)) == (keys, 2 * len(names))


def test_two_names_that_become_one_stop_the_upgrade(empty, caplog):
    with pytest.raises(SystemExit):
        upgrade_with(COMPOSED, DECOMPOSED)
    assert "are one username from now on" in caplog.text


def test_names_that_an_older_version_takes_for_one_stop_the_downgrade(empty, caplog):
    upgrade_with("stra\u00dfe")
    insert(USERS, {"id": "2", "name": "strasse", "key": "strasse"})
    with pytest.raises(SystemExit):
        downgrade(revision="0002")
    assert "Rename or delete one of them" in caplog.text

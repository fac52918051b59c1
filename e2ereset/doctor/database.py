"""The database: whether it answers, what it is, whether it has our tables, what its clock says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, inspect

from e2ereset.store.engines import schema_of
from e2ereset.store.tables import Base
from e2ereset.store.transactions import INSERTS, time_of

from .deployment import Subject
from .findings import Area, Check, Finding, Part

AREA = Area("database")
MIGRATE = "Run `e2ereset db upgrade`, or in a host app `flask db upgrade`."
LATE, TOO_LATE = 2.0, 30.0
"""Seconds between two clocks: worth a warning; as long as one step of TOTP."""


@AREA.check("database-answers", "The database answers.", shows=Part.DATABASE)
def ANSWERS(subject: Subject) -> Iterator[Finding]:
    """Whether one can connect. A SQLite file that is missing is not made."""
    engine = subject.engine
    if engine is None:
        yield AREA.error(
            "database-unknown",
            "There is no engine to connect with.",
            "SQLALCHEMY_DATABASE_URI = 'postgresql+psycopg://...'",
        )
    elif engine.dialect.name not in INSERTS:
        yield AREA.error(
            "database-unsupported",
            f"e2ereset does not run on {engine.dialect.name}.",
            "SQLALCHEMY_DATABASE_URI = 'postgresql+psycopg://...'",
        )
    elif _is_missing_file(engine):
        yield AREA.error("database-missing", "The SQLite file does not exist.", MIGRATE)
    else:
        yield from _connect(engine)


def _connect(engine: Engine) -> Iterator[Finding]:
    try:
        with engine.connect() as connection:
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
    except Exception as error:
        yield AREA.error(
            "database-gone",
            f"No connection to the database: {type(error).__name__}.",
            "Start it, or correct SQLALCHEMY_DATABASE_URI (host, port, user, password, name).",
        )
        return
    yield AREA.ok("database-answers", f"The database answers: {engine.dialect.name} {version}.")


def _is_missing_file(engine: Engine) -> bool:
    name = engine.url.database
    is_file = engine.dialect.name == "sqlite" and name and name != ":memory:"
    return bool(is_file) and not str(name).startswith("file:") and not Path(str(name)).exists()


@AREA.check("tables", "All tables and columns are there.", Part.DATABASE, shows=Part.TABLES)
def TABLES(subject: Subject) -> Iterator[Finding]:
    """Tables and columns that this version wants and the database lacks."""
    inspector, schema = inspect(subject.database), schema_of(subject.database)
    there = set(inspector.get_table_names(schema))
    wanted = Base.metadata.sorted_tables
    absent = sorted(t.name for t in wanted if t.name not in there)
    for table in wanted:
        if table.name in there:
            columns = {column["name"] for column in inspector.get_columns(table.name, schema)}
            absent += sorted(f"{table.name}.{c.name}" for c in table.c if c.name not in columns)
    if absent:
        yield AREA.error("schema-incomplete", f"The database lacks {', '.join(absent)}.", MIGRATE)


@AREA.check("sqlite", "SQLite is not in use.", Part.DATABASE)
def SQLITE(subject: Subject) -> Iterator[Finding]:
    """What SQLite can not do for several workers or machines."""
    if subject.database.dialect.name != "sqlite":
        return
    change = "SQLALCHEMY_DATABASE_URI = 'postgresql+psycopg://...'"
    if subject.fleet.machines > 1:
        yield AREA.error(
            "sqlite-on-machines", "A SQLite file can not be shared by machines.", change
        )
    elif subject.fleet.workers > 1:
        yield AREA.note(
            "sqlite-shared",
            f"{subject.fleet.workers} workers share one SQLite file: writes wait for one another.",
            change,
        )
    else:
        yield AREA.ok("sqlite", "SQLite serves one worker.")
    with subject.database.connect() as connection:
        if not connection.exec_driver_sql("PRAGMA synchronous").scalar():
            yield AREA.error(
                "sqlite-not-durable",
                "PRAGMA synchronous is OFF: a power cut undoes what was committed.",
                "PRAGMA synchronous = FULL",
            )


@AREA.check("parameters", "Errors of the database name no values.", Part.DATABASE, Part.SETTINGS)
def PARAMETERS(subject: Subject) -> Iterator[Finding]:
    """Whether an error of the database would carry digests and encrypted texts into a log."""
    if not subject.database.hide_parameters:
        yield AREA.warning(
            "parameters-shown",
            "An error of the database carries its values into the log.",
            "SQLALCHEMY_ENGINE_OPTIONS = {'hide_parameters': True}",
        )


@AREA.check("clock", "The clocks agree.", Part.DATABASE)
def CLOCK(subject: Subject) -> Iterator[Finding]:
    """The clock of this machine against the database's."""
    with subject.database.connect() as connection:
        before = subject.clock()
        theirs = time_of(connection)
        off = (before + subject.clock()) / 2 - theirs
    words = f"This machine's clock is {abs(off):.1f} s {'ahead of' if off > 0 else 'behind'} the"
    change = "Let chrony or systemd-timesyncd set the clocks of both machines."
    if abs(off) > TOO_LATE:
        yield AREA.error("clock-wrong", f"{words} database's: TOTP codes fail.", change)
    elif abs(off) > LATE:
        yield AREA.warning("clock-off", f"{words} database's.", change)


CHECKS: tuple[Check, ...] = (ANSWERS, TABLES, SQLITE, PARAMETERS, CLOCK)

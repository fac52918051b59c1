"""The database: whether it answers, what it is, whether it has our tables, what its clock says."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, inspect

from e2ereset.store.engines import schema_of
from e2ereset.store.statements import INSERTS
from e2ereset.store.tables import Base
from e2ereset.store.transactions import time_of

from .deployment import Deployment
from .findings import Finding, Part, check, found

AREA = "database"
LATE, TOO_LATE = 2.0, 30.0
"""Seconds between two clocks: worth a warning; as long as one step of TOTP."""


@check(AREA, "database-answers", "The database answers.", shows=Part.DATABASE)
def answers(app: Deployment) -> Iterator[Finding | str]:
    """Whether one can connect. A SQLite file that is missing is not made."""
    engine = app.engine
    if engine is None:
        yield found("database-unknown")
    elif engine.dialect.name not in INSERTS:
        yield found("database-unsupported", dialect=engine.dialect.name)
    elif (file := sqlite_file(engine)) and not file.exists():
        yield found("database-missing")
    else:
        yield _connect(engine)


def _connect(engine: Engine) -> Finding | str:
    try:
        with engine.connect() as connection:
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
    except Exception as error:
        return found("database-gone", fault=type(error).__name__)
    return f"The database answers: {engine.dialect.name} {version}."


def sqlite_file(engine: Engine) -> Path | None:
    """The file of this database; None where it is in memory, or no SQLite."""
    name = engine.url.database or ":memory:"
    is_file = engine.dialect.name == "sqlite" and not name.startswith((":memory:", "file:"))
    return Path(name) if is_file else None


@check(AREA, "tables", "All tables and columns are there.", Part.DATABASE, shows=Part.TABLES)
def tables(app: Deployment) -> Iterator[Finding]:
    """Tables and columns that this version wants and the database lacks."""
    inspector, schema = inspect(app.database), schema_of(app.database)
    there = set(inspector.get_table_names(schema))
    wanted = Base.metadata.sorted_tables
    absent = sorted(t.name for t in wanted if t.name not in there)
    for table in wanted:
        if table.name in there:
            columns = {column["name"] for column in inspector.get_columns(table.name, schema)}
            absent += sorted(f"{table.name}.{c.name}" for c in table.c if c.name not in columns)
    if absent:
        yield found("schema-incomplete", absent=", ".join(absent))


@check(AREA, "sqlite", "SQLite is not in use.", Part.DATABASE)
def sqlite(app: Deployment) -> Iterator[Finding | str]:
    """What SQLite cannot do for several workers or machines."""
    if app.database.dialect.name != "sqlite":
        return
    if app.scale.machines > 1:
        yield found("sqlite-on-machines")
    elif app.scale.workers > 1:
        yield found("sqlite-shared", workers=app.scale.workers)
    else:
        yield "SQLite serves one worker."
    with app.database.connect() as connection:
        if not connection.exec_driver_sql("PRAGMA synchronous").scalar():
            yield found("sqlite-not-durable")


@check(AREA, "parameters", "Errors of the database name no values.", Part.DATABASE, Part.SETTINGS)
def parameters(app: Deployment) -> Iterator[Finding]:
    """Whether an error of the database would carry digests and encrypted texts into a log."""
    if not app.database.hide_parameters:
        yield found("parameters-shown")


@check(AREA, "clock", "The clocks agree.", Part.DATABASE)
def clock(app: Deployment) -> Iterator[Finding]:
    """The clock of this machine against the database's."""
    with app.database.connect() as connection:
        before = app.clock()
        theirs = time_of(connection)
        off = (before + app.clock()) / 2 - theirs
    if abs(off) > LATE:
        words = f"{abs(off):.1f} s {'ahead of' if off > 0 else 'behind'}"
        yield found("clock-wrong" if abs(off) > TOO_LATE else "clock-off", off=words)

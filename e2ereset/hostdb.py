"""The database of a host: by its Flask-SQLAlchemy, or by an engine and a MetaData of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, MetaData

from .errors import SettingsError
from .store.engines import Binds, Engines
from .store.tables import Base

ONE_OF = "Give E2EReset either db=, or engine= and metadata=."


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDatabase:
    """The engines of an app, by the key of the bind, and the MetaData that our tables go into."""

    engines: Callable[[], Engines]
    metadata: MetaData
    bind_key: str | None = None

    def binds(self) -> Binds:
        """The way to the engines, once our tables are in the MetaData.

        `create_all` and migrations of the host find them there.
        """
        there = {table.name for table in self.metadata.tables.values()}
        for table in Base.metadata.sorted_tables:
            if table.name not in there:
                table.to_metadata(self.metadata)
        return Binds(self.engines, key=self.bind_key, schema=self.metadata.schema)


def database_of(app: Flask, db: SQLAlchemy, bind_key: str | None) -> HostDatabase:
    """The database of a Flask-SQLAlchemy; our tables go to this bind.

    Raises SettingsError when it is not initialised for the app, or has no such bind.
    """
    if "sqlalchemy" not in app.extensions:
        raise SettingsError("Call db.init_app(app) before E2EReset(app, db=db, ...).")
    if bind_key is not None and bind_key not in _engines(app, db):
        raise SettingsError(f"SQLALCHEMY_BINDS has no {bind_key!r}, the bind_key given.")
    fresh = MetaData(info={"bind_key": bind_key})
    metadata = db.metadatas.setdefault(bind_key, fresh)
    return HostDatabase(
        engines=cache(partial(_engines, app, db)), metadata=metadata, bind_key=bind_key
    )


def plain_database(
    engine: Engine | Connection | None, metadata: MetaData | None, bind_key: str | None
) -> HostDatabase:
    """The database of a host with plain SQLAlchemy. Raises SettingsError for what is no such."""
    if engine is None or metadata is None or bind_key is not None:
        raise SettingsError(ONE_OF)
    if not isinstance(engine, Engine | Connection):
        raise SettingsError("engine must be an Engine of SQLAlchemy, or a Connection in tests.")
    if not isinstance(metadata, MetaData):
        raise SettingsError("metadata must be a MetaData, such as Base.metadata.")
    engines: Engines = {None: engine}
    return HostDatabase(engines=lambda: engines, metadata=metadata)


def _engines(app: Flask, db: SQLAlchemy) -> Engines:
    with app.app_context():
        return db.engines

"""The base class and the column types of the library's tables.

The tables have their own MetaData, and no foreign key to a host's table. `E2EReset` copies them
into the host's metadata, where the host's migrations find them. Times are epoch seconds in UTC. An
account id comes from the host, and is opaque.
"""

from typing import Annotated, Any

from sqlalchemy import BigInteger, Integer, MetaData, String, Table, text
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Key = Annotated[str, mapped_column(String(255), primary_key=True)]
Name = Annotated[str, mapped_column(String(255))]
Epoch = Annotated[int, mapped_column(BigInteger)]
SERIAL = BigInteger().with_variant(Integer, "sqlite")
Serial = Annotated[int, mapped_column(SERIAL, primary_key=True, autoincrement=True)]


class Base(DeclarativeBase):
    """Declarative base of the library's tables."""

    metadata = MetaData(naming_convention=NAMING)


def only_where(condition: str) -> dict[str, Any]:
    """The options of an index that has only the rows of which this SQL condition is true."""
    return {f"{dialect}_where": text(condition) for dialect in ("sqlite", "postgresql")}


def table(model: type[DeclarativeBase]) -> Table:
    """The Core table of a declarative model, for statements that are built once."""
    made = model.__table__
    assert isinstance(made, Table)  # noqa: S101 - true for every declarative class
    return made

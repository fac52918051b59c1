"""The parts of a user: which attributes they are, and how they are read and compared."""

from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any
from unicodedata import normalize
from uuid import UUID

from sqlalchemy import Column, ColumnElement, func, inspect, or_
from sqlalchemy.orm import QueryableAttribute, Session
from sqlalchemy.orm.exc import UnmappedColumnError

from e2ereset.errors import SettingsError
from e2ereset.records import kind_of, name_key

Part = str | Column[Any] | QueryableAttribute[Any] | Callable[[Any], Any]
SQLITE_KEY = "e2ereset_name_key"
SMALLEST, LARGEST = -(2**63), 2**63 - 1


def key_of(model: type[Any], name: str, part: Any, *, in_sql: bool) -> Any:
    """The attribute that a part is, by its name; a function, True, False and None stay.

    `name` is that of the part. Raises SettingsError where the model has no such attribute.
    """
    if isinstance(part, QueryableAttribute):
        part = part.key
    elif isinstance(part, Column):
        try:
            part = inspect(model).get_property_by_column(part).key
        except UnmappedColumnError:
            raise SettingsError(f"{name}: {model.__name__} has no column {part}.") from None
    if isinstance(part, str):
        if not hasattr(model, part):
            raise SettingsError(f"{name}: {model.__name__} has no attribute {part!r}.")
        if name == "id" and part == "fs_uniquifier":
            raise SettingsError("id: fs_uniquifier changes when sessions end. Name what stays.")
    elif in_sql and part is not None:
        raise SettingsError(f"{name} is {kind_of(part)}. Name an attribute or a column.")
    return part


def value_of(user: Any, part: Any) -> Any:
    """The value of a part that `key_of` gave."""
    if part is None or isinstance(part, bool):
        return part
    return getattr(user, part) if isinstance(part, str) else part(user)


def roles_of(given: Any) -> tuple[Any, ...]:
    """Roles as texts: of none, of one, or of many; an object is named by its `value` or `name`."""
    if given is None:
        return ()
    one = isinstance(given, str | Enum) or hasattr(given, "name")
    return tuple(_name_of(role) for role in ([given] if one else given))


def reader_of_ids(column: Any) -> Callable[[str], Any]:
    """The function that makes a value of this column of an account's id.

    It raises ValueError for a text that no row can have.
    """
    try:
        kind = column.expression.type.python_type
    except NotImplementedError:
        kind = str
    reads: dict[Any, Callable[[str], Any]] = {int: _read_int, UUID: UUID, str: str}
    if kind not in reads:
        raise SettingsError(f"id: {column} is of {kind.__name__}. Give id_type, which reads one.")
    read = reads[kind]

    def canonical(text: str) -> Any:
        """The value, if this is the one text of it: `007` is not 7."""
        value = read(text)
        if str(value) != text or not is_storable(text):
            raise ValueError("not as an id is written")
        return value

    return canonical


def is_storable(text: str) -> bool:
    """Whether every database takes this text: it is UTF-8 without NUL."""
    with suppress(UnicodeEncodeError):
        return b"\0" not in text.encode()
    return False


def same_name(session: Session, model: type[Any], column: Any, name: str) -> ColumnElement[bool]:
    """A condition that is true of all that may be this name, as `name_key` compares.

    SQLite folds ASCII only, so there each name is read, and folded by Python. Elsewhere `lower` of
    the database folds, and the same name in another normal form is found as it was written.
    """
    key, connection = name_key(name), session.connection(bind_arguments={"mapper": model})
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        with suppress(driver.OperationalError):  # a query of the host's runs that uses it
            driver.create_function(SQLITE_KEY, 1, _key_or_none)
        folded: ColumnElement[bool] = getattr(func, SQLITE_KEY)(column) == key
        return folded
    forms = [key, normalize("NFD", key)]
    return or_(func.lower(column).in_(forms), column.in_([name, normalize("NFC", name)]))


def _key_or_none(text: Any) -> str | None:
    return name_key(text) if isinstance(text, str) else None


def _read_int(text: str) -> int:
    value = int(text)
    if not SMALLEST <= value <= LARGEST:
        raise ValueError("no database has such a number")
    return value


def _name_of(role: Any) -> Any:
    if isinstance(role, Enum):
        return role.value if isinstance(role.value, str) else role.name
    return role if isinstance(role, str) else getattr(role, "name", role)

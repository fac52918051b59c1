"""Describes, in one line, faults that an operator can repair."""

import re

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError

from .errors import Unavailable

OLD_SCHEMA = re.compile(r"no such (table|column)|(relation|column) .* does not exist")
MIGRATE = "Run `e2ereset db upgrade`, or in a host app `flask db upgrade` or its create_all()"


def outage(fault: BaseException) -> str | None:
    """What fails and what to do, without a value of the database. None for any other fault.

    Any other fault is a bug, which needs its traceback.
    """
    if isinstance(fault, Unavailable):
        return f"{fault}. `e2ereset doctor` says more"
    if isinstance(fault, TimeoutError):
        return "All connections to the database were in use. `e2ereset doctor` says more"
    if not isinstance(fault, DBAPIError):
        return None
    if OLD_SCHEMA.search(first_line(fault)):
        return f"The database lacks a table or a column. {MIGRATE}"
    if isinstance(fault, OperationalError | InterfaceError):
        kind = type(fault.orig).__name__
        return f"The database does not do its work ({kind}). `e2ereset doctor` says more"
    return None


def first_line(error: DBAPIError) -> str:
    """The first line of the driver's message."""
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]

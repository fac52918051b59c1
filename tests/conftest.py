"""Fixtures that several test modules share."""

from audit_kit import log, sealed  # noqa: F401
from certificates import certificate  # noqa: F401
from databases import (  # noqa: F401
    connect,
    database_uri,
    make_database,
    postgres_uri,
    served_on,
)
from server_kit import accounts, app, clock, config, engine, make_server, session  # noqa: F401
from world import bob, eve, world  # noqa: F401

"""Fixtures that several test modules share."""

from audit_kit import log, sealed  # noqa: F401
from databases import connect, database_uri, make_database  # noqa: F401
from server_kit import accounts, app, clock, config, engine, make_server, session  # noqa: F401
from world import world  # noqa: F401

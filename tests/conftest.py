"""Fixtures that several test modules share."""

from server_kit import accounts, engine, session  # noqa: F401

"""Checks of one app and how it is run: each finding says what was seen and what to change."""

from . import configuration, database, postgres, rate_store, relay, secret_keys, standards, state
from .deployment import Fleet, Relay, Subject
from .findings import Area, Check, Finding, Level, Part, examine

CHECKS: tuple[Check, ...] = (
    *configuration.CHECKS,
    *standards.CHECKS,
    *database.CHECKS,
    *postgres.CHECKS,
    *secret_keys.CHECKS,
    *state.CHECKS,
    *relay.CHECKS,
    *rate_store.CHECKS,
)

__all__ = [
    "CHECKS",
    "Area",
    "Check",
    "Finding",
    "Fleet",
    "Level",
    "Part",
    "Relay",
    "Subject",
    "examine",
]

"""Checks of one app and how it is run: each finding says what was seen and what to change."""

from . import configuration, database, keys, limiter, postgres, relay, standards, state
from .findings import Area, Check, Finding, Level, Part, examine
from .subject import Fleet, Relay, Subject

CHECKS: tuple[Check, ...] = (
    *configuration.CHECKS,
    *standards.CHECKS,
    *database.CHECKS,
    *postgres.CHECKS,
    *keys.CHECKS,
    *state.CHECKS,
    *relay.CHECKS,
    *limiter.CHECKS,
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

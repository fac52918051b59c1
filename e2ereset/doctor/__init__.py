"""Checks of one app and of how it is run. Each finding says what was seen and what to change."""

from . import configuration, database, postgres, rate_store, relay, secret_keys, standards, state
from .deployment import Deployment, Relay, Scale, is_loopback
from .findings import Catalogue, Check, Finding, Level, Part, check, examine

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
    "Catalogue",
    "Check",
    "Deployment",
    "Finding",
    "Level",
    "Part",
    "Relay",
    "Scale",
    "check",
    "examine",
    "is_loopback",
]

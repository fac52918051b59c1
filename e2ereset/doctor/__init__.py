"""Checks of one app and of how it is run. Each finding says what was seen and what to change."""

from . import configuration, database, postgres, rate_store, relay, secret_keys, state
from .findings import Check

AREAS = (configuration, database, postgres, secret_keys, state, relay, rate_store)
CHECKS = tuple(one for area in AREAS for one in vars(area).values() if isinstance(one, Check))

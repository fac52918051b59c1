"""The role-permission table: who may do what to whom."""

from .service import (
    EDIT_OTHER_USER_E2EE,
    GRANTS,
    PERMISSIONS,
    ROLES,
    SEED_GRANTS,
    SEED_ROLES,
    UNLOCK_OTHER_USER_FACTOR,
    Permissions,
    UnknownName,
    seed,
)

__all__ = [
    "EDIT_OTHER_USER_E2EE",
    "GRANTS",
    "PERMISSIONS",
    "ROLES",
    "SEED_GRANTS",
    "SEED_ROLES",
    "UNLOCK_OTHER_USER_FACTOR",
    "Permissions",
    "UnknownName",
    "seed",
]

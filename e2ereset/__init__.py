"""Resets a user's end-to-end-encryption key behind a second factor.

Wire-compatible with Rocket.Chat's `POST /api/v1/users.resetE2EKey`; a Flask blueprint and the
second-factor gate behind it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import Refusal
from .extension import E2EReset
from .factors.strategies import Strategy
from .guard import two_factor_required
from .mail import Message
from .records import Account, Action, Attempt, Caller, Challenge, Proof, Reader, SignIn, name_key
from .runtime import Runtime, get_e2ereset
from .signals import budget_spent, factor_disabled, factor_enabled, factor_used, key_reset, refused

if TYPE_CHECKING:
    from .adapters.accounts import SQLAlchemyAccounts
    from .adapters.identify import flask_login_identify, flask_security_identify, identify_by

__all__ = [
    "Account",
    "Action",
    "Attempt",
    "Caller",
    "Challenge",
    "E2EReset",
    "Message",
    "Proof",
    "Reader",
    "Refusal",
    "Runtime",
    "SQLAlchemyAccounts",
    "SignIn",
    "Strategy",
    "budget_spent",
    "factor_disabled",
    "factor_enabled",
    "factor_used",
    "flask_login_identify",
    "flask_security_identify",
    "get_e2ereset",
    "identify_by",
    "key_reset",
    "name_key",
    "refused",
    "two_factor_required",
]


_ADAPTERS = {
    "SQLAlchemyAccounts": "accounts",
    "flask_login_identify": "identify",
    "flask_security_identify": "identify",
    "identify_by": "identify",
}


def __getattr__(name: str) -> Any:
    """The adapters, which are loaded when they are asked for: a host takes one of each kind."""
    if name not in _ADAPTERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".adapters.{_ADAPTERS[name]}", __name__), name)

"""Checks what the host's own code returns.

A wrong value would cause a fault far away, or give somebody another user's rights. So it raises
HostError here, whose text names the host's method.
"""

import logging
from collections.abc import Callable, Iterable
from functools import wraps
from inspect import getattr_static, iscoroutinefunction, isfunction
from types import SimpleNamespace
from typing import Any, cast

from .errors import HostError, SettingsError
from .ports import Accounts
from .records import Account, Caller, Losses, Reader, kind_of

NEEDED = ("get", "find", "check_password")
ONLY_TRUE = ("check_password", "check_plain_password", "is_signed_in", "has_grant", "use_grant")
"""The methods whose answer counts as no, unless it is True itself."""
WANTED: dict[str, tuple[Any, str]] = {
    **dict.fromkeys(
        ("get", "find", "find_by_email", "account"), (Account | None, "an Account or None")
    ),
    **dict.fromkeys(("end_sessions", "end_other_sessions"), (int, "a number")),
    **dict.fromkeys(("drop_keys", "end_sign_in"), (int, "True or False")),
    "list_sign_ins": (Iterable, "the SignIns"),
    "remembered_proof": (str, "a text"),
    "readable_rooms": (Iterable, "the RoomStates"),
    "losses": (Losses, "Losses"),
    "reader": (Reader | None, "a Reader or None"),
    **dict.fromkeys(
        (
            *ONLY_TRUE,
            "keys_set",
            "lock_account_row",
            "lock_losses",
            "expiring",
            "remember_proof",
            "set_language",
        ),
        (object, ""),
    ),
}
"""Every method of `ports`: the type that it must give, and the words for it."""

log = logging.getLogger(__name__)


def check_accounts(accounts: object, *, pages: bool = False) -> Accounts:
    """The host's accounts with the methods that they have; each call checks its answer.

    Without pages nobody can type a password: the method that checks one is left out. Raises
    SettingsError when a method is missing or asynchronous, and for a class.
    """
    if isinstance(accounts, type) and isfunction(getattr_static(accounts, "get", None)):
        raise SettingsError(f"accounts is the class {accounts.__name__}. Give an object of it.")
    checked = SimpleNamespace()
    for name in WANTED:
        of = accounts if isinstance(accounts, type) else type(accounts)
        where, method = f"{of.__name__}.{name}", getattr(accounts, name, None)
        if method is None and name in NEEDED:
            model = "For a model give SQLAlchemyAccounts(model, ...)."
            raise SettingsError(f"{where} is missing. See e2ereset.ports.Accounts. {model}")
        if iscoroutinefunction(method):
            raise SettingsError(f"{where} is asynchronous. Write it without `async`.")
        if method is not None and (pages or name != "check_plain_password"):
            setattr(checked, name, _checked(method, where, name))
    return cast(Accounts, checked)


def check_identify(
    identify: Callable[[], Any], run: Callable[[Callable[[], Any]], Callable[[], Any]]
) -> Callable[[], Caller | None]:
    """The host's `identify`, which `run` makes synchronous. It gives None for no account.

    Raises SettingsError when it cannot be called.
    """
    if not callable(identify):
        raise SettingsError(f"identify is {kind_of(identify)}. Give a function.")

    call = run(identify)

    def checked() -> Caller | None:
        """The signed-in caller; None when nobody is signed in. Raises HostError."""
        try:
            given = call()
            if given is None or given is False:
                return None
            _require(given, Caller, "a Caller or None")
        except HostError as error:
            raise HostError(f"identify: {error}") from error
        return given if given.account else None

    return checked


def _checked(method: Callable[..., Any], where: str, name: str) -> Callable[..., Any]:
    kind, words = WANTED[name]

    @wraps(method)
    def checked(*args: Any, **kwargs: Any) -> Any:
        """Call the host's method, and check what it gives."""
        try:
            given = method(*args, **kwargs)
            _require(given, kind, words)
        except HostError as error:
            raise HostError(f"{where}: {error}") from error
        if name == "drop_keys":
            return given > 0  # it may be a count of rows
        if name not in ONLY_TRUE:
            return given
        if not isinstance(given, bool):
            log.error("%s gave %s; only True counts, so this is a no.", where, kind_of(given))
        return given is True

    return checked


def _require(given: Any, kind: Any, words: str) -> None:
    if not isinstance(given, kind):
        raise HostError(f"it gave {kind_of(given)}; it must give {words}.")

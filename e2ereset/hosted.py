"""What the host's own code gives us, checked where it comes in.

A wrong thing would come out as a fault far away, or as somebody else's right. Here it raises
HostError, whose text names the host's method.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from types import SimpleNamespace
from typing import Any, cast

from .errors import HostError, SettingsError
from .ports import Accounts
from .records import Account, Caller, kind_of

NEEDED = ("get", "find", "check_password")

log = logging.getLogger(__name__)


def check_accounts(accounts: object) -> Accounts:
    """The host's accounts, with the methods that they have, whose answers are checked.

    Raises SettingsError where a method is missing or asynchronous.
    """
    checked = SimpleNamespace()
    for name, take in ANSWERS.items():
        where, method = f"{type(accounts).__name__}.{name}", getattr(accounts, name, None)
        if method is None and name in NEEDED:
            raise SettingsError(f"{where} is missing. See e2ereset.ports.Accounts.")
        if iscoroutinefunction(method):
            raise SettingsError(f"{where} is asynchronous. Write it without `async`.")
        if method is not None:
            setattr(checked, name, _checked(method, where, take))
    return cast(Accounts, checked)


def check_identify(
    identify: Callable[[], Any], run: Callable[[Callable[[], Any]], Callable[[], Any]]
) -> Callable[[], Caller | None]:
    """The host's `identify`, made synchronous by `run`; None where it gives no account.

    Raises SettingsError where it is nothing that can be called.
    """
    if not callable(identify):
        raise SettingsError(f"identify is {kind_of(identify)}. Give a function.")

    def checked() -> Caller | None:
        """Who asks; None when nobody is signed in. Raises HostError."""
        with _named("identify"):
            given = run(identify)()
            if given is None or given is False:
                return None
            if not isinstance(given, Caller):
                raise HostError(f"it gave {kind_of(given)}; it must give a Caller or None.")
            return given if cast(Any, given).account else None

    return checked


def _checked(
    method: Callable[..., Any], where: str, take: Callable[[str, Any], Any]
) -> Callable[..., Any]:
    @wraps(method)
    def checked(*args: Any, **kwargs: Any) -> Any:
        """Ask the host, and check what it gives."""
        with _named(where):
            return take(where, method(*args, **kwargs))

    return checked


@contextmanager
def _named(where: str) -> Iterator[None]:
    try:
        yield
    except HostError as error:
        raise HostError(f"{where}: {error}") from error


def _account(_where: str, given: Any) -> Account | None:
    if given is None or isinstance(given, Account):
        return given
    raise HostError(f"it gave {kind_of(given)}; it must give an Account or None.")


def _only_true(where: str, given: Any) -> bool:
    if not isinstance(given, bool):
        log.error("%s gave %s; only True counts, so this is a no.", where, kind_of(given))
    return given is True


def _number(_where: str, given: Any) -> Any:
    if isinstance(given, int):
        return given
    raise HostError(f"it gave {kind_of(given)}; it must give a number.")


def _whether(_where: str, given: Any) -> bool:
    if isinstance(given, int):  # True, False or a count of rows
        return given > 0
    raise HostError(f"it gave {kind_of(given)}; it must give True or False.")


def _anything(_where: str, given: Any) -> Any:
    return given


ANSWERS: dict[str, Callable[[str, Any], Any]] = {
    "get": _account,
    "find": _account,
    "find_by_email": _account,
    "check_password": _only_true,
    "is_signed_in": _only_true,
    "end_sessions": _number,
    "drop_keys": _whether,
    "keys_set": _anything,
    "expiring": _anything,
}
"""Every method of `ports`, and what is made of its answer."""

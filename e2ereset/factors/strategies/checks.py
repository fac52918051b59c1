"""Checks strategy classes when the app starts, and the answers of strategies."""

import inspect
import logging
from functools import lru_cache
from typing import Any

from e2ereset.errors import StrategyError
from e2ereset.records import Attempt

from .base import Strategy

log = logging.getLogger(__name__)

CALLS = {
    "usable": ("attempt",),
    "provable": ("attempt",),
    "verify": ("attempt", "code"),
    "pending": ("attempt",),
    "challenge": ("attempt",),
    "another": ("attempt",),
    "explain": ("attempt", "code"),
}
"""The methods of a strategy, and the arguments of each."""


def check_class(cls: Any) -> type[Strategy]:
    """The class, if it is a complete strategy.

    Raises StrategyError for a class that is no strategy, has no name, or lacks a method.
    """
    if not (isinstance(cls, type) and issubclass(cls, Strategy)):
        raise StrategyError(f"{cls!r} is no subclass of e2ereset.Strategy.")
    if not isinstance(getattr(cls, "name", None), str) or not cls.name:
        raise StrategyError(f"{cls!r} has no name. Give the class a `name`.")
    if inspect.isabstract(cls):
        raise StrategyError(f"{cls!r} lacks {', '.join(sorted(cls.__abstractmethods__))}.")
    for fact in ("sends", "fallback", "on_page"):
        if not isinstance(getattr(cls, fact), bool):
            raise StrategyError(f"{cls!r} has a `{fact}` that is not a bool.")
    return cls


def check_calls(strategy: Strategy) -> Strategy:
    """The strategy, if its methods take their arguments and answer at once.

    Raises StrategyError, also for a coroutine or generator function: its result is always true.
    """
    for name, parameters in CALLS.items():
        method = getattr(strategy, name)
        wanted = f"Write `def {name}(self, {', '.join(parameters)})`"
        where = f"{type(strategy)!r}: {name}"
        if not callable(method):
            raise StrategyError(f"{where} is no method. {wanted}.")
        if any(is_late(method) for is_late in LATE):
            raise StrategyError(f"{where} must answer at once. {wanted}, no async and no yield.")
        if not _takes(method, parameters):
            raise StrategyError(f"{where} cannot be called so. {wanted}.")
    return strategy


LATE = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)


def is_true(strategy: Strategy, answer: object) -> bool:
    """Whether a strategy's answer is True itself. An answer that is no bool is logged."""
    if answer is not True and answer is not False:
        log.error("The strategy %s answered %s, not a bool", strategy.name, type(answer).__name__)
        if inspect.iscoroutine(answer):
            answer.close()  # nobody awaits it
    return answer is True


def is_usable(strategy: Strategy, attempt: Attempt) -> bool:
    """Whether the account may use the strategy: whether its answer is True itself."""
    return is_true(strategy, strategy.usable(attempt))


def _takes(method: Any, parameters: tuple[str, ...]) -> bool:
    try:
        if inspect.ismethod(method):  # the first argument is what it is bound to
            _bind(method.__func__, ("self", *parameters))
        else:
            inspect.signature(method).bind(*parameters)
    except TypeError:
        return False
    return True


@lru_cache(maxsize=64)  # each app of a process checks the same strategies
def _bind(function: Any, parameters: tuple[str, ...]) -> None:
    inspect.signature(function).bind(*parameters)

"""What a strategy has to be before it is let near a proof, and what of its answers counts."""

from __future__ import annotations

import logging
from inspect import (
    isabstract,
    isasyncgenfunction,
    iscoroutine,
    iscoroutinefunction,
    isgeneratorfunction,
    signature,
)
from typing import Any

from e2ereset.errors import StrategyError
from e2ereset.records import Attempt

from .base import Strategy

log = logging.getLogger(__name__)

CALLS = {
    "usable": ("attempt",),
    "verify": ("attempt", "code"),
    "pending": ("attempt",),
    "challenge": ("attempt",),
    "another": ("attempt",),
    "explain": ("attempt", "code"),
}
"""The methods of a strategy, and what each is called with."""


def check_class(cls: Any) -> type[Strategy]:
    """The class, when it is a whole strategy.

    Raises StrategyError for what is no strategy, has no name, or lacks a method.
    """
    if not (isinstance(cls, type) and issubclass(cls, Strategy)):
        raise StrategyError(f"{cls!r} is no subclass of e2ereset.Strategy.")
    if not isinstance(getattr(cls, "name", None), str) or not cls.name:
        raise StrategyError(f"{cls!r} has no name. Give the class a `name`.")
    if isabstract(cls):
        raise StrategyError(f"{cls!r} lacks {', '.join(sorted(cls.__abstractmethods__))}.")
    for fact in ("sends", "fallback"):
        if not isinstance(getattr(cls, fact), bool):
            raise StrategyError(f"{cls!r} has a `{fact}` that is not a bool.")
    return cls


def check_calls(strategy: Strategy) -> Strategy:
    """The strategy, when its methods take what they are called with and answer at once.

    A coroutine or a generator is true whatever it would give. Raises StrategyError.
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


LATE = (iscoroutinefunction, isasyncgenfunction, isgeneratorfunction)


def is_true(strategy: Strategy, answer: object) -> bool:
    """Whether a strategy's answer is True itself; anything but True or False is logged."""
    if answer is not True and answer is not False:
        log.error("The strategy %s answered %s, not a bool", strategy.name, type(answer).__name__)
        if iscoroutine(answer):
            answer.close()  # nobody waits for it
    return answer is True


def is_usable(strategy: Strategy, attempt: Attempt) -> bool:
    """Whether the account may use the strategy, which must say so with True itself."""
    return is_true(strategy, strategy.usable(attempt))


def _takes(method: Any, parameters: tuple[str, ...]) -> bool:
    try:
        signature(method).bind(*parameters)
    except TypeError:
        return False
    return True

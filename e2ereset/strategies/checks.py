"""What a strategy has to be before it is let near a proof."""

from __future__ import annotations

from inspect import (
    isabstract,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
    signature,
)
from typing import Any

from e2ereset.errors import StrategyError

from .base import Strategy

CALLS = {
    "usable": ("attempt",),
    "verify": ("attempt", "code"),
    "pending": ("attempt",),
    "challenge": ("attempt",),
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


def _takes(method: Any, parameters: tuple[str, ...]) -> bool:
    try:
        signature(method).bind(*parameters)
    except TypeError:
        return False
    return True

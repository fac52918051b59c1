"""The built-in strategies, and how a method in the configuration becomes one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from e2ereset.errors import StrategyError

from .base import Strategy, Tools
from .email import EmailStrategy
from .password import PasswordStrategy
from .totp import TotpStrategy

BUILT_IN: tuple[type[Strategy], ...] = (TotpStrategy, EmailStrategy, PasswordStrategy)
GROUP = "e2ereset.strategies"


def resolve(
    methods: Sequence[Any], tools: Tools, *, registered: Iterable[type[Strategy]] = ()
) -> tuple[Strategy, ...]:
    """The strategies that the configuration names, in its order; nothing else is loaded.

    A method is a Strategy class, or the name of one given to the extension, of a built-in, or of
    an entry point in the group `e2ereset.strategies`, looked up in that order. Raises
    StrategyError when a name fits none, or two in the same place.
    """
    found = tuple(_class(method, tuple(registered))(tools) for method in methods)
    names = [strategy.name for strategy in found]
    if len(set(names)) != len(names):
        raise StrategyError(f"E2ERESET_METHODS names a method twice: {', '.join(names)}.")
    return found


def _class(method: Any, registered: tuple[type[Strategy], ...]) -> type[Strategy]:
    if not isinstance(method, str):
        return _checked(method, repr(method))
    for classes in (registered, BUILT_IN):
        matches = [cls for cls in classes if cls.name == method]
        if len(matches) > 1:
            raise StrategyError(f"Two strategies are called {method!r}: {matches}. Keep one.")
        if matches:
            return matches[0]
    return _load(method, registered)


def _load(method: str, registered: tuple[type[Strategy], ...]) -> type[Strategy]:
    points = entry_points(group=GROUP)
    matches = [point for point in points if point.name == method]
    if len(matches) > 1:
        raise StrategyError(
            f"Several packages offer the strategy {method!r}: {_packages(matches)}. Name its class"
            " in E2ERESET_METHODS instead."
        )
    if not matches:
        known = sorted({cls.name for cls in (*registered, *BUILT_IN)} | {p.name for p in points})
        raise StrategyError(
            f"E2ERESET_METHODS names {method!r}, which is no strategy. Known: {', '.join(known)}."
        )
    return _checked(matches[0].load(), matches[0].value)


def _checked(cls: Any, origin: str) -> type[Strategy]:
    if not (isinstance(cls, type) and issubclass(cls, Strategy)):
        raise StrategyError(f"{origin} is no subclass of e2ereset.Strategy.")
    if not isinstance(getattr(cls, "name", None), str) or not cls.name:
        raise StrategyError(f"{origin} has no name. Give the class a `name`.")
    return cls


def _packages(points: Iterable[EntryPoint]) -> str:
    return ", ".join(sorted(point.dist.name if point.dist else point.value for point in points))


__all__ = ["EmailStrategy", "PasswordStrategy", "Strategy", "Tools", "TotpStrategy", "resolve"]

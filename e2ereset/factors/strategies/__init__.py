"""The built-in strategies, and the look-up of the strategies that the configuration names."""

from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from e2ereset.errors import StrategyError
from e2ereset.parts import Parts

from .base import Strategy
from .checks import check_calls, check_class
from .email import EmailStrategy
from .password import PasswordStrategy
from .totp import TotpStrategy

BUILT_IN: tuple[type[Strategy], ...] = (TotpStrategy, EmailStrategy, PasswordStrategy)
PASSKEY = "passkey"
GROUP = "e2ereset.strategies"


def resolve(
    methods: Sequence[Any], parts: Parts, *, registered: Iterable[type[Strategy]] = ()
) -> tuple[Strategy, ...]:
    """The strategies that the configuration names, in its order; no others are loaded.

    A method is a Strategy class, or a name. A name is looked up among the classes that were given
    to the extension, then the built-in ones, then the entry points of the group
    `e2ereset.strategies`. Raises StrategyError when no class has the name, or two of one place.
    """
    classes = [check_class(_class(method, tuple(registered))) for method in methods]
    found = tuple(check_calls(cls(parts)) for cls in classes)
    names = [strategy.name for strategy in found]
    if len(set(names)) != len(names):
        raise StrategyError(f"E2ERESET_METHODS names a method twice: {', '.join(names)}.")
    return found


def _class(method: Any, registered: tuple[type[Strategy], ...]) -> type[Strategy]:
    if not isinstance(method, str):
        return check_class(method)
    for classes in (registered, BUILT_IN):
        matches = [cls for cls in classes if cls.name == method]
        if len(matches) > 1:
            raise StrategyError(f"Two strategies are called {method!r}: {matches}. Keep one.")
        if matches:
            return matches[0]
    if method == PASSKEY:
        return _passkey()
    return _load(method, registered)


def _passkey() -> type[Strategy]:
    """The strategy of passkeys, which alone needs fido2: imported where it is named."""
    try:
        from .passkey import PasskeyStrategy
    except ImportError as error:
        raise StrategyError(
            "E2ERESET_METHODS names 'passkey', which needs fido2: pip install 'e2ereset[passkeys]'."
        ) from error
    return PasskeyStrategy


def _load(method: str, registered: tuple[type[Strategy], ...]) -> type[Strategy]:
    points = entry_points(group=GROUP)
    matches = [point for point in points if point.name == method]
    if len(matches) > 1:
        raise StrategyError(
            f"Several packages offer the strategy {method!r}: {_packages(matches)}. Name its class"
            " in E2ERESET_METHODS instead."
        )
    if not matches:
        known = sorted(
            {cls.name for cls in (*registered, *BUILT_IN)} | {PASSKEY} | {p.name for p in points}
        )
        raise StrategyError(
            f"E2ERESET_METHODS names {method!r}, which is no strategy. Known: {', '.join(known)}."
        )
    return check_class(matches[0].load())


def _packages(points: Iterable[EntryPoint]) -> str:
    return ", ".join(sorted(point.dist.name if point.dist else point.value for point in points))


__all__ = ["EmailStrategy", "PasswordStrategy", "Strategy", "TotpStrategy", "resolve"]

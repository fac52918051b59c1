"""What My security is made of: the module of each factor and each page adds its own line."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from e2ereset.factors.enrolment import FactorStatus
from e2ereset.records import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link to an endpoint; with `posts`, a button that sends these values there.

    With `permissions`, My security shows it to whoever holds one of them; with a `method`, to
    whoever has that factor.
    """

    label: str
    endpoint: str
    values: Mapping[str, str] = field(default_factory=dict)
    posts: bool = False
    danger: bool = False
    permissions: tuple[str, ...] = ()
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A way to prove who one is, in the reader's words; times are in epoch seconds.

    `method` is its name in the settings. `since` is None for one that is off, `used` for one that
    was never used. `proves`: it proves the sign-in of the reader. `locked`: too many wrong tries.
    """

    label: str
    method: str = ""
    since: int | None = None
    used: int | None = None
    proves: bool = False
    locked: bool = False
    notes: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


FactorsOf = Callable[[Caller, FactorStatus], Iterable[Factor]]
"""The factors of a kind that the caller has, or could have."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The lines of My security. `links` lead to pages, with labels that catalogues translate.

    `key_links` do too; they stand where the key does.
    `done` has the words for what was just done, by the name that the page's address then carries.
    """

    factors: list[FactorsOf] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    key_links: list[Link] = field(default_factory=list)
    done: dict[str, str] = field(default_factory=dict)

    def lines(self, caller: Caller, status: FactorStatus) -> list[Factor]:
        """The lines of the caller's factors."""
        return [one for find in self.factors for one in find(caller, status)]


def line(method: str, label: str, caller: Caller, status: FactorStatus) -> Factor:
    """The line of a method that `FactorStatus` knows."""
    history = status.history.get(method)
    return Factor(
        label=label,
        method=method,
        since=history.enabled_at if history else None,
        used=history.used_at if history else None,
        proves=status.proves(method, caller),
        locked=f"verify:{method}" in status.locked,
    )

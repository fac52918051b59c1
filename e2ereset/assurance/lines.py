"""What a line of a standard is, and how the live settings answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from e2ereset.settings import Settings


class State(StrEnum):
    """How a line stands."""

    MET = "met"
    BROKEN = "broken"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a line stands, by what, and what would change that; empty where no setting does."""

    state: State
    by: str
    change: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the lines are judged by: the settings and the names of the methods in use.

    `shortest_password`: fewest characters of one that is set here; None where the host sets them.
    """

    settings: Settings
    methods: tuple[str, ...]
    shortest_password: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a standard, in our own words. `level` is ASVS's, 0 for NIST."""

    standard: str
    id: str
    level: int = 0
    words: str
    judge: Callable[[Facts], Verdict]


def met(by: str) -> Verdict:
    """The line is met."""
    return Verdict(state=State.MET, by=by)


def broken(by: str, change: str = "") -> Verdict:
    """The line is broken."""
    return Verdict(state=State.BROKEN, by=by, change=change)


def apart(by: str) -> Verdict:
    """The line does not apply."""
    return Verdict(state=State.NOT_APPLICABLE, by=by)


def always(verdict: Verdict) -> Callable[[Facts], Verdict]:
    """A judge whom no setting sways."""
    return lambda _: verdict


def factor(judge: Callable[[Facts], Verdict]) -> Callable[[Facts], Verdict]:
    """A judge for what only matters while the second factor is checked at all."""

    def judged(facts: Facts) -> Verdict:
        if facts.settings.two_factor:
            return judge(facts)
        return apart("E2ERESET_TWO_FACTOR is off: nothing is asked for.")

    return judged


def of_method(name: str, judge: Callable[[Facts], Verdict]) -> Callable[[Facts], Verdict]:
    """A judge for one method: without it the line does not apply."""

    def judged(facts: Facts) -> Verdict:
        return judge(facts) if name in facts.methods else apart(f"`{name}` is not in use.")

    return factor(judged)

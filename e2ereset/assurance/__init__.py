"""What the live settings are worth: the odds of guessing, and the standards they meet or break."""

from collections.abc import Iterator

from e2ereset.factors.odds import (
    ACCOUNTS,
    STRETCHES,
    Lockout,
    Secret,
    lockout_of,
    most_in,
    secrets_of,
    soonest,
)

from . import asvs, nist
from .lines import Facts, Line, State, Verdict

LINES: tuple[Line, ...] = (*nist.LINES, *asvs.LINES)


def judge(facts: Facts) -> Iterator[tuple[Line, Verdict]]:
    """Every line, and how the settings stand to it."""
    for line in LINES:
        yield line, line.judge(facts)


__all__ = [
    "ACCOUNTS",
    "LINES",
    "STRETCHES",
    "Facts",
    "Line",
    "Lockout",
    "Secret",
    "State",
    "Verdict",
    "judge",
    "lockout_of",
    "most_in",
    "secrets_of",
    "soonest",
]

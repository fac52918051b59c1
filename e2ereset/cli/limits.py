"""`limits`: how hard each second factor is to guess with the live settings."""

from collections.abc import Iterator
from typing import Any

import click

from e2ereset.factors.budgets import MOST_IN_A_ROW
from e2ereset.factors.odds import ACCOUNTS, STRETCHES, Secret, seconds_shut, secrets_of
from e2ereset.runtime import Runtime

from .base import Output, prints, table

COLUMNS = {"factor": "factor", "within": "within", "tries": "tries"} | {
    str(number): f"{number:,} account{'s' * (number > 1)}" for number in ACCOUNTS
}


@prints(click.command("limits"))
@click.option("--odds", is_flag=True, expose_value=False, help="What is shown without it, too.")
def limits(runtime: Runtime) -> Output:
    """Show how hard each second factor is to guess, and what wrong tries cost its owner."""
    windows = runtime.settings.verify_windows
    methods = tuple(strategy.name for strategy in runtime.strategies)
    data = {
        "factors": [_factor(secret) for secret in secrets_of(runtime.settings, methods)],
        "lockout": {
            "windows": [{"seconds": length, "tries": most} for length, most in windows],
            "shutSecondsPerDay": seconds_shut(windows),
        },
    }
    return data, _lines(data)


def _factor(secret: Secret) -> dict[str, Any]:
    """A factor in JSON; a chance is None where the number of possible secrets is unknown."""
    known = bool(secret.space)
    return {
        "method": secret.method,
        "secret": secret.what,
        "space": secret.space or None,
        "live": secret.live if known else None,
        "bits": round(secret.bits, 2) if known else None,
        "tries": {name: secret.tries(seconds) for name, seconds in STRETCHES.items()},
        "chances": {
            str(accounts): {
                name: secret.chance(seconds, accounts) if known else None
                for name, seconds in STRETCHES.items()
            }
            for accounts in ACCOUNTS
        },
    }


def _lines(data: dict[str, Any]) -> Iterator[str]:
    yield "The most tries of a guesser who never pauses, and the chance that one account falls:"
    rows = (row for factor in data["factors"] for row in _rows(factor))
    yield from table(rows, COLUMNS)
    shut = data["lockout"]["shutSecondsPerDay"]
    yield f"Such a guesser keeps a method shut for its owner for {shut} s a day, and after"
    yield f"{MOST_IN_A_ROW} failures in a row, without a right code between, until it is unlocked."


def _rows(factor: dict[str, Any]) -> Iterator[dict[str, Any]]:
    name = f"{factor['method']}, {factor['secret']}"
    for stretch, tries in factor["tries"].items():
        chances = {number: of[stretch] for number, of in factor["chances"].items()}
        shown = {number: f"{c:.3g}" for number, c in chances.items() if c is not None}
        yield {"factor": name, "within": stretch, "tries": tries, **shown}

"""`limits`: what the live settings are worth against guessing, and before the standards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from flask.cli import with_appcontext

from e2ereset.assurance import (
    ACCOUNTS,
    STRETCHES,
    Facts,
    Secret,
    judge,
    lockout_of,
    secrets_of,
)
from e2ereset.budgets import MOST_IN_A_ROW
from e2ereset.runtime import get_e2ereset

from .base import as_json, emit


@click.command("limits")
@as_json
@with_appcontext
def limits(json_output: bool) -> None:
    """Show the odds of guessing each factor, and the lines of NIST and OWASP met or broken."""
    runtime = get_e2ereset()
    methods = tuple(strategy.name for strategy in runtime.stepup.strategies)
    facts = Facts(settings=runtime.settings, methods=methods)
    data = {
        "factors": [_factor(s) for s in secrets_of(facts.settings, facts.methods)],
        "lockout": _lockout(facts),
        "standards": list(_standards(facts)),
    }
    emit(data, _lines(data), json_output)


def _factor(secret: Secret) -> dict[str, Any]:
    """A factor in JSON; a chance is None where the space of its secrets is unknown."""
    return {
        "method": secret.method,
        "secret": secret.what,
        "space": secret.space or None,
        "live": secret.live if secret.space else None,
        "bits": round(secret.bits, 2) if secret.space else None,
        "tries": {name: secret.tries(seconds) for name, seconds in STRETCHES.items()},
        "chances": {
            str(accounts): {
                name: secret.chance(seconds, accounts) if secret.space else None
                for name, seconds in STRETCHES.items()
            }
            for accounts in ACCOUNTS
        },
    }


def _lockout(facts: Facts) -> dict[str, Any]:
    windows = facts.settings.verify_windows
    cost = lockout_of(windows)
    return {
        "windows": [{"seconds": length, "tries": most} for length, most in windows],
        "shutSecondsPerDay": cost.shut_per_day,
    }


def _standards(facts: Facts) -> Iterator[dict[str, Any]]:
    for line, verdict in judge(facts):
        yield {
            "standard": line.standard,
            "id": line.id,
            "level": line.level or None,
            "words": line.words,
            "state": verdict.state.value,
            "by": verdict.by,
            "change": verdict.change,
        }


def _lines(data: dict[str, Any]) -> Iterator[str]:
    yield "The most tries in any stretch of time, and the chance that one of the accounts falls."
    yield "The guesser never pauses; where two windows meet, both count. The owner passes between,"
    yield f"so that the lock after {MOST_IN_A_ROW} failures in a row never comes."
    for factor in data["factors"]:
        yield from _factor_lines(factor)
    yield ""
    for window in data["lockout"]["windows"]:
        yield (
            f"{window['tries']} wrong tries shut a method for its owner, for {window['seconds']} s"
            " after the first of them."
        )
    yield f"A guesser who goes on keeps it shut for {data['lockout']['shutSecondsPerDay']} s a day,"
    yield f"and after {MOST_IN_A_ROW} in a row, without a right one between, until it is unlocked."
    for line in data["standards"]:
        yield from _standard_lines(line)


def _factor_lines(factor: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"{factor['method']}: {factor['secret']}" + (
        f", {factor['live']} of {factor['space']} are right ({factor['bits']} bits)"
        if factor["space"]
        else ", as hard to guess as it was chosen"
    )
    heads = (f"{number:,} account{'s' * (number > 1)}" for number in ACCOUNTS)
    yield f"  {'':10} {'tries':>8}" + "".join(f" {head:>20}" for head in heads)
    for name, tries in factor["tries"].items():
        chances = (factor["chances"][str(number)][name] for number in ACCOUNTS)
        cells = "".join(f" {'-' if c is None else f'{c:.3g}':>20}" for c in chances)
        yield f"  {name:10} {tries:8}{cells}"


def _standard_lines(line: dict[str, Any]) -> Iterator[str]:
    level = f" L{line['level']}" if line["level"] else ""
    yield ""
    yield f"{line['state']:15} {line['standard']}, {line['id']}{level}: {line['words']}"
    yield f"{'':15} {line['by']}"
    if line["change"]:
        yield f"{'':15} -> {line['change']}"

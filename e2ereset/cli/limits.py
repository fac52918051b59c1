"""`limits`: what the live settings are worth against guessing, and before the standards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from e2ereset.assurance import (
    ACCOUNTS,
    STRETCHES,
    Facts,
    Secret,
    State,
    judge,
    lockout_of,
    secrets_of,
)
from e2ereset.factors.budgets import MOST_IN_A_ROW
from e2ereset.runtime import get_e2ereset
from e2ereset.settings import SERVER_PREFIX

from .base import as_json, emit

DETAILS = {
    "odds": "How hard each factor is to guess, and what wrong tries cost the owner.",
    "standards": "Every line of NIST SP 800-63B and OWASP ASVS, and why it is met or broken.",
}


@click.command("limits")
@click.option("--odds", is_flag=True, help=DETAILS["odds"])
@click.option("--standards", is_flag=True, help=DETAILS["standards"])
@as_json
@with_appcontext
def limits(odds: bool, standards: bool, json_output: bool) -> None:
    """Show what the settings are worth against guessing, and before NIST and OWASP.

    A summary, or the details that are asked for; all of it with --json.
    """
    runtime = get_e2ereset()
    methods = tuple(strategy.name for strategy in runtime.stepup.strategies)
    shortest = current_app.config.get(f"{SERVER_PREFIX}SHORTEST_PASSWORD")
    facts = Facts(settings=runtime.settings, methods=methods, shortest_password=shortest)
    data = {
        "factors": [_factor(s) for s in secrets_of(facts.settings, facts.methods)],
        "lockout": _lockout(facts),
        "standards": list(_standards(facts)),
    }
    lines = [*(_odds(data) if odds else ()), *(_every_line(data) if standards else ())]
    emit(data, lines or _summary(data), json_output)


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


def _summary(data: dict[str, Any]) -> Iterator[str]:
    """What fits one screen."""
    yield f"{'factor':24} {'tries a day':>11} {'a year':>8} {'odds in a year, one account':>29}"
    for factor in data["factors"]:
        name = f"{factor['method']}, {factor['secret']}"
        chance = factor["chances"]["1"]["year"]
        shown = "as it was chosen" if chance is None else f"{chance:.3g}"
        yield f"{name:24} {factor['tries']['day']:11} {factor['tries']['year']:8} {shown:>29}"
    yield f"After {MOST_IN_A_ROW} failures in a row a method is locked until it is unlocked."
    shut = data["lockout"]["shutSecondsPerDay"]
    yield f"A guesser who goes on keeps it shut for its owner for {shut} s a day."
    for standard in dict.fromkeys(line["standard"] for line in data["standards"]):
        lines = [line for line in data["standards"] if line["standard"] == standard]
        yield from _told(standard, lines)
    yield "More: --odds, --standards, or --json for all of it."


def _told(standard: str, lines: list[dict[str, Any]]) -> Iterator[str]:
    states = Counter(line["state"] for line in lines)
    yield f"{standard}: " + ", ".join(f"{states[state.value]} {state.value}" for state in State)
    broken = ", ".join(line["id"] for line in lines if line["state"] == State.BROKEN.value)
    if broken:
        yield f"  broken: {broken}"


def _odds(data: dict[str, Any]) -> Iterator[str]:
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
    shut = data["lockout"]["shutSecondsPerDay"]
    yield f"A guesser who goes on keeps it shut for {shut} s a day,"
    yield f"and after {MOST_IN_A_ROW} in a row, without a right one between, until it is unlocked."


def _every_line(data: dict[str, Any]) -> Iterator[str]:
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

"""What every command has: one clear line on an error, `--json`, and safe printing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from e2ereset.errors import E2EResetError

OLD_SCHEMA = re.compile(r"no such (table|column)|(relation|column) .* does not exist")


class OneLineErrors(click.Group):
    """A group whose commands end with one clear line where they would raise what we know."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises ClickException for our own errors and the database's."""
        try:
            return super().invoke(ctx)
        except E2EResetError as error:
            raise click.ClickException(str(error)) from None
        except DBAPIError as error:
            raise click.ClickException(_explain(error)) from None


class Commands(OneLineErrors, AppGroup):
    """A group of commands that run in the context of the app."""


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flag `--json`, which arrives as `json_output`."""
    return click.option("--json", "json_output", is_flag=True, help="Print JSON.")(command)


def limit(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the option `--limit`."""
    bounds = click.IntRange(1, 10_000)
    return click.option("--limit", type=bounds, default=default, show_default=True)


def batch(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the option `--batch`."""
    return click.option(
        "--batch",
        type=click.IntRange(1, 10_000),
        default=default,
        show_default=True,
        help="Rows in one transaction, at most.",
    )


def emit(data: Any, lines: Iterable[str], json_output: bool) -> None:
    """Print `data` as JSON, or the `lines` for people to read."""
    if json_output:
        click.echo(json.dumps(data))
        return
    for line in lines:
        # What strangers sent, such as an agent, must not reach the terminal as control codes.
        click.echo("".join(c if c.isprintable() else "?" for c in line))


def line(row: dict[str, Any]) -> str:
    """A row of a listing, `-` where it has nothing."""
    return "  ".join("-" if value in (None, "") else str(value) for value in row.values())


def _explain(error: DBAPIError) -> str:
    words = (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
    if OLD_SCHEMA.search(words):
        return (
            f"The database lacks a part ({words}). Run `e2ereset db upgrade`, or in a host app"
            " `flask db upgrade`."
        )
    return f"The database does not do this: {words}"

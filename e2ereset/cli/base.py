"""What all commands share: one clear line on an error, `--json`, options, safe printing."""

import getpass
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import DBAPIError
from werkzeug.utils import import_string

from e2ereset.audit import Operator
from e2ereset.audit.rows import LONGEST
from e2ereset.errors import E2EResetError
from e2ereset.outages import MIGRATE, OLD_SCHEMA, first_line
from e2ereset.runtime import Runtime, get_e2ereset

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Output = tuple[Any, Iterable[str]] | tuple[Any, Iterable[str], int]
"""What a command prints: with --json the first, else the lines; and its exit status."""
LAST = {"operator": 1, "json_output": 2}
"""The options that every `--help` has at its end."""
LONGEST_HELP = 500
"""Characters of a command in the help of its group."""


class OneLineErrors(click.Group):
    """A group whose commands end with one clear line, and no traceback, for an error we know."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises ClickException for our own errors and the database's."""
        try:
            return super().invoke(ctx)
        except E2EResetError as error:
            raise click.ClickException(str(error)) from None
        except DBAPIError as error:
            raise click.ClickException(_explain(error)) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the whole sentence of each; click would cut it to a line."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(LONGEST_HELP)) for name, one in found if one]
            )


class Commands(OneLineErrors, AppGroup):
    """A group of commands that run in the context of the app.

    `found_in` names a tuple of them, as "module:name", that is imported when it is needed.
    """

    def __init__(self, *args: Any, found_in: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self._found_in = found_in

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of this name."""
        self._find()
        return super().get_command(ctx, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        self._find()
        return super().list_commands(ctx)

    def _find(self) -> None:
        if self._found_in:
            for command in import_string(self._found_in):
                self.add_command(command)
            self._found_in = ""


def prints(make: Callable[..., click.Command]) -> Callable[..., click.Command]:
    """Make a function the command of `make`, which is such as `group.command("name")`.

    The command takes `--json` and the function's own options. The function gets the runtime of the
    app and its own options; it prints nothing where it returns None.
    """

    def decorate(act: Callable[..., Output | None]) -> click.Command:
        """The command."""

        @make
        @as_json
        @with_appcontext
        @wraps(act)
        def command(json_output: bool, **options: Any) -> None:
            """Act, and print what it returns; the help is that of `act`."""
            if output := act(get_e2ereset(), **options):
                data, lines, *status = output
                emit(data, lines, json_output)
                click.get_current_context().exit(*status)

        command.params.sort(key=lambda option: LAST.get(option.name or "", 0))
        return command

    return decorate


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flag `--json`, which arrives as `json_output`."""
    return click.option("--json", "json_output", is_flag=True, help="Print JSON.")(command)


def with_reason(*, required: bool = False) -> Decorator:
    """Give a command the option `--reason`, which arrives as `operator`: who runs it, and why."""
    return click.option(
        "--reason",
        "operator",
        required=required,
        metavar="TEXT",
        callback=_operator,
        help="Why. The audit log keeps it.",
    )


def _operator(_ctx: click.Context, option: click.Parameter, reason: str | None) -> Operator:
    if option.required and not (reason or "").strip():
        raise click.BadParameter("Say why.")
    return find_operator(reason or "")


def find_operator(reason: str = "") -> Operator:
    """Who runs this program, by login name. Raises BadParameter for a reason that is no line."""
    if len(reason) > LONGEST or not reason.isprintable():
        raise click.BadParameter(f"A reason is one line of at most {LONGEST} characters.")
    try:
        login = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's account may have no name
        login = f"uid-{os.getuid()}"
    return Operator(login=login, reason=reason.strip())


def note(runtime: Runtime, action: str, outcome: str) -> None:
    """Write the audit row of what this program did."""
    now = int(runtime.clock())
    with runtime.transactions.begin() as session:
        runtime.audit.write(session, action, find_operator(), at=now, outcome=outcome)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise ClickException where the block cannot write this file."""
    try:
        yield
    except OSError as fault:
        raise click.ClickException(f"{path} cannot be written: {fault.strerror}.") from None


def number(name: str, default: int, words: str = "", **more: Any) -> Decorator:
    """Give a command an option that is a number from 1 to 10 000."""
    bounds = click.IntRange(1, 10_000)
    return click.option(name, type=bounds, default=default, show_default=True, help=words, **more)


def with_dry_run() -> Decorator:
    """Give a command that stores rows the flag `--dry-run`."""
    return click.option("--dry-run", is_flag=True, help="Check every row and store none.")


def stored_words(dry: bool) -> str:
    """What a command says of the rows that it stored, or in a dry run would have."""
    return "would be stored" if dry else "stored"


def limit(default: int) -> Decorator:
    """Give a command the option `--limit`."""
    return number("--limit", default, "Rows to show, at most.")


def batch(default: int) -> Decorator:
    """Give a command the option `--batch`."""
    return number("--batch", default, "Rows in one transaction, at most.")


def emit(data: Any, lines: Iterable[str], json_output: bool) -> None:
    """Print `data` as JSON, or the `lines` for people to read."""
    if json_output:
        click.echo(json.dumps(data))
        return
    for line in lines:
        # What strangers sent, such as an agent, must not reach the terminal as control codes.
        click.echo("".join(c if c.isprintable() else "?" for c in line))


def facts(data: Mapping[str, Any]) -> Iterator[str]:
    """A line for each fact."""
    return (f"{name:16} {_cell(value)}" for name, value in data.items())


def table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> Iterator[str]:
    """A listing under one line of heads. `columns` has the head of each name in the rows."""
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    lines = [list(columns.values()), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for words in lines:
        yield "  ".join(map(str.ljust, words, widths)).rstrip()


def _cell(value: Any) -> str:
    """A value as people read it; `-` where there is nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_cell, value)) or "-"
    return "-" if value in (None, "") else str(value)


def _explain(error: DBAPIError) -> str:
    words = first_line(error)
    if OLD_SCHEMA.search(words):
        return f"The database lacks a part ({words}). {MIGRATE}."
    return f"The database does not do this: {words}"

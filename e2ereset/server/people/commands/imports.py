"""`user import`: import users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TextIO

import click

from e2ereset import Runtime
from e2ereset.audit import Operator
from e2ereset.cli.base import Output, prints, with_reason
from e2ereset.server.people.acts import Acting
from e2ereset.server.people.imports import Imported, import_users, read_csv, read_json_lines

from .base import user

READERS = {"jsonl": read_json_lines, "csv": read_csv}


@prints(user.command("import"))
@click.argument("file", type=click.File(encoding="utf-8-sig", errors="replace"))
@click.option(
    "--format",
    "kind",
    type=click.Choice(tuple(READERS)),
    help="Default: csv for a FILE that is named so, else jsonl.",
)
@click.option("--dry-run", is_flag=True, help="Check every row and store none.")
@with_reason()
def import_command(
    runtime: Runtime, *, file: TextIO, kind: str | None, dry_run: bool, operator: Operator
) -> Output:
    """Store the users of FILE, a JSON object in each line or CSV; exits with 1 if any is left out.

    Users that exist are left as they are, so it can be run again.
    """
    acting = Acting(runtime=runtime, operator=operator)
    kind = kind or ("csv" if file.name.lower().endswith(".csv") else "jsonl")
    done = import_users(acting, READERS[kind](file), dry_run=dry_run)
    data: dict[str, Any] = {
        "dryRun": dry_run,
        "stored": done.stored,
        "present": done.present,
        "leftOut": done.left_out,
    }
    return data, _lines(done, dry_run=dry_run), int(bool(done.left_out))


def _lines(done: Imported, *, dry_run: bool) -> Iterator[str]:
    for left in done.left_out:
        name = left["username"] or "without a name"
        yield f"Line {left['line']}, {name}: left out. {left['why']}"
    words = "would be stored" if dry_run else "stored"
    yield f"{done.stored} {words}, {done.present} there already, {len(done.left_out)} left out."

"""`import rocketchat`: people arrive with all that they had on a Rocket.Chat server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from e2ereset import Runtime
from e2ereset.audit import Operator
from e2ereset.cli.base import Commands, Output, prints, stored_words, with_dry_run, with_reason
from e2ereset.cli.imports import arrivals as library
from e2ereset.cli.rows import BadFile
from e2ereset.server.people.acts import Acting
from e2ereset.server.sessions.service import current_sessions

from .outcome import PRESENT, STORED, UNUSED, Arriving, Outcome
from .service import COLLECTIONS, collection_of, find_files, take_over

# A group of its own: that of the library is also the one of hosts.
arrivals = Commands("import", help=library.help, commands=dict(library.commands))
EXPORT = click.Path(exists=True, readable=True, path_type=Path)


@prints(arrivals.command("rocketchat"))
@click.argument("export", type=EXPORT, metavar="DIR|FILE")
@click.option("--collection", type=click.Choice(tuple(COLLECTIONS)), help="Of which FILE is.")
@with_dry_run()
@with_reason()
def import_rocketchat(
    runtime: Runtime, *, export: Path, collection: str | None, dry_run: bool, operator: Operator
) -> Output:
    """Take over users, roles, permissions, rooms and subscriptions, as mongoexport wrote them.

    What is here already is left as it is, so it can be run again. Exits with 1 if a row was left
    out.
    """
    seconds = current_sessions().settings.token_seconds
    acting = Acting(runtime=runtime, by=operator)
    with runtime.transactions.begin_many(dry=dry_run) as begin:
        arriving = Arriving(acting=acting, sign_in_seconds=seconds, begin=begin)
        outcome = take_over(arriving, _files(export, collection))
    data: dict[str, Any] = {"dryRun": dry_run}
    data |= {
        name: {kind: counts[kind] for kind in (STORED, PRESENT, UNUSED)}
        for name, counts in outcome.counts.items()
    }
    data |= {"leftOut": outcome.left_out, "partly": outcome.partly}
    return data, _lines(outcome, stored_words(dry_run)), int(bool(outcome.left_out))


def _files(export: Path, collection: str | None) -> dict[str, Path]:
    if export.is_dir():
        if collection:
            raise click.UsageError("--collection is for a FILE.")
        return find_files(export)
    named = collection or collection_of(export)
    if named is None:
        raise BadFile(f"{export.name} is not named after a collection: give --collection.")
    return {named: export}


def _lines(outcome: Outcome, stored: str) -> Iterator[str]:
    for words, entries in (("without", outcome.partly), ("left out", outcome.left_out)):
        for one in entries:
            who = f"{one['collection']}, row {one['row']}, {one['id'] or 'without an id'}"
            yield f"{who}: {words}. {one['why']}"
    for name, counts in outcome.counts.items():
        left = sum(one["collection"] == name for one in outcome.left_out)
        known = f"{counts[STORED]} {stored}, {counts[PRESENT]} there already"
        yield f"{name}: {known}, {counts[UNUSED]} of no use here, {left} left out."

"""`purge`: drops expired rows."""

from __future__ import annotations

from collections.abc import Mapping

import click
from flask.cli import with_appcontext

from e2ereset.ports import HoldsExpiring
from e2ereset.runtime import Runtime, get_e2ereset
from e2ereset.upkeep.retention import Retention

from .base import as_json, batch, emit, find_operator


@click.command("purge")
@batch(1000)
@click.option("--dry-run", is_flag=True, help="Only count what would be dropped.")
@as_json
@with_appcontext
def purge(batch: int, dry_run: bool, json_output: bool) -> None:
    """Drop expired tokens and codes, budgets that are over, old mails and old audit rows.

    Requests are served meanwhile. E2ERESET_KEEP_MAILS_DAYS and E2ERESET_KEEP_AUDIT_DAYS say how
    long mails and audit rows are kept.
    """
    runtime = get_e2ereset()
    retention = make_retention(runtime)
    rows = retention.count(batch) if dry_run else retention.purge(batch)
    if not dry_run and any(rows.values()):
        _note(runtime, rows)
    done = "to drop" if dry_run else "dropped"
    data = {"dryRun": dry_run, "rows": rows}
    emit(data, (f"{what} {done}: {count}" for what, count in rows.items()), json_output)


def _note(runtime: Runtime, rows: Mapping[str, int]) -> None:
    outcome = ", ".join(f"{what} {count}" for what, count in rows.items() if count)
    now = int(runtime.clock())
    with runtime.transactions.begin() as session:
        runtime.audit.write(session, "purge", find_operator(), at=now, outcome=outcome)


def make_retention(runtime: Runtime) -> Retention:
    """The retention of the library's rows and of the host's."""
    accounts = runtime.accounts
    return Retention(
        runtime.transactions,
        runtime.keyring,
        settings=runtime.settings,
        expiring=accounts.expiring() if isinstance(accounts, HoldsExpiring) else (),
        clock=runtime.clock,
    )

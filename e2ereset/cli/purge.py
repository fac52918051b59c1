"""`purge`: drops expired rows."""

import click

from e2ereset.runtime import Runtime
from e2ereset.upkeep.retention import Retention

from .base import Output, batch, note, prints


@prints(click.command("purge"))
@batch(1000)
@click.option("--dry-run", is_flag=True, help="Only count what would be dropped.")
def purge(runtime: Runtime, batch: int, dry_run: bool) -> Output:
    """Drop expired tokens and codes, budgets that are over, old mails and old audit rows.

    Requests are served meanwhile. E2ERESET_KEEP_MAILS_DAYS and E2ERESET_KEEP_AUDIT_DAYS say how
    long mails and audit rows are kept.
    """
    retention = Retention(runtime)
    rows = retention.count(batch) if dry_run else retention.purge(batch)
    if not dry_run and any(rows.values()):
        note(
            runtime, "purge", ", ".join(f"{what} {count}" for what, count in rows.items() if count)
        )
    done = "to drop" if dry_run else "dropped"
    data = {"dryRun": dry_run, "rows": rows}
    return data, (f"{what} {done}: {count}" for what, count in rows.items())

"""`import totp`: second factors that accounts bring from elsewhere, in any host."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click

from e2ereset.audit import Operator
from e2ereset.errors import E2EResetError
from e2ereset.factors.arrivals import read_stored_secret, take_totp
from e2ereset.runtime import Runtime
from e2ereset.store.transactions import Begin

from .base import Commands, Output, prints, stored_words, with_dry_run, with_reason
from .rows import BadFile, BadRow, read_csv, read_json, rows_of, words_of

arrivals = Commands("import", help="Takes over what people have on another server.")
FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@dataclass(slots=True, kw_only=True)
class Taken:
    """What became of the rows. `present`: those that were left as they are; `without`: no secret.

    `left_out` has for each row that was not stored its `row` number, its `account` and `why`.
    """

    stored: int = 0
    present: int = 0
    without: int = 0
    left_out: list[dict[str, Any]] = field(default_factory=list)


@prints(arrivals.command("totp"))
@click.argument("file", type=FILE)
@click.option("--id", "name", default="id", show_default=True, help="Where the account ids are.")
@click.option("--secret", default="secret", show_default=True, help="Where the secrets are.")
@with_dry_run()
@with_reason()
def import_totp(
    runtime: Runtime, *, file: Path, name: str, secret: str, dry_run: bool, operator: Operator
) -> Output:
    """Enable TOTP by the secrets in FILE: CSV where it is named so, else JSON.

    Accounts that have TOTP are left as they are, so it can be run again.
    """
    done = Taken()
    read = partial(read_csv, check=partial(_check, {name, secret})) if _is_csv(file) else read_json
    with runtime.transactions.begin_many(dry=dry_run) as begin:
        take = partial(_take, runtime, operator, done, begin=begin)
        for number, row in rows_of(file, read, "TOTP"):
            given = row if isinstance(row, Mapping) else {}
            try:
                take(account_id=given.get(name), stored=given.get(secret))
            except E2EResetError as fault:
                account = _text(given.get(name))
                done.left_out.append({"row": number, "account": account, "why": words_of(fault)})
    data: dict[str, Any] = {
        "dryRun": dry_run,
        "stored": done.stored,
        "present": done.present,
        "without": done.without,
        "leftOut": done.left_out,
    }
    lines = [f"{_row(one)}: left out. {one['why']}" for one in done.left_out]
    stored = f"{done.stored} {stored_words(dry_run)}, {done.present} there already"
    counts = f"{stored}, {done.without} without a secret, {len(lines)} left out."
    return data, [*lines, counts], int(bool(lines))


def _take(
    runtime: Runtime, operator: Operator, done: Taken, *, begin: Begin, account_id: Any, stored: Any
) -> None:
    """Enable TOTP by one row, in a transaction of its own, with its audit row."""
    wanted, now = _text(account_id), int(runtime.clock())
    if not wanted:
        raise BadRow("It is no row with an account id.")
    secret = read_stored_secret(stored)
    if not secret:
        done.without += 1
        return
    with begin() as session:
        account = runtime.accounts.get(session, wanted)
        if account is None:
            raise BadRow("There is no account of this id.")
        taken = take_totp(session, runtime.factors, account, secret, now=now)
        if taken:
            runtime.audit.write(session, "import-totp", operator, at=now, target=account.id)
    done.stored += taken
    done.present += not taken


def _text(account_id: Any) -> str:
    """An account id as text, which may be a number in JSON; "" where there is none."""
    is_number = isinstance(account_id, int) and not isinstance(account_id, bool)
    text = str(account_id) if is_number or isinstance(account_id, str) else ""
    return text if text.isprintable() else ""  # database drivers fail on some other characters


def _row(left_out: Mapping[str, Any]) -> str:
    account = left_out["account"]
    return f"Row {left_out['row']}" + (f", {account}" if account else "")


def _is_csv(file: Path) -> bool:
    return file.suffix.lower() == ".csv"


def _check(wanted: set[str], names: list[str]) -> None:
    if not wanted <= set(names):
        raise BadFile(f"The first line must name the columns {' and '.join(sorted(wanted))}.")

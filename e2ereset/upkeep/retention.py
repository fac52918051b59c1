"""Retention: drops expired rows, in batches that nobody has to wait for.

A row that somebody holds at that moment is left to the next purge. So a purge never waits while it
holds rows itself, and cannot deadlock with a request or with another purge.
"""

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, delete, func, select, tuple_

from e2ereset.audit.maintenance import purge
from e2ereset.audit.models import AuditRow
from e2ereset.factors.models import Budget, EmailChallenge
from e2ereset.factors.passkeys import EXPIRING as PASSKEY_CHALLENGES
from e2ereset.jobs.queue import JOBS
from e2ereset.kept.service import EXPIRING as KEPT
from e2ereset.parts import Parts
from e2ereset.ports import HoldsExpiring
from e2ereset.reset.holds import EXPIRING as RESET_HOLDS
from e2ereset.store.paging import KeysetPages
from e2ereset.store.retained import NOW, Expiring
from e2ereset.store.tables import table
from e2ereset.store.transactions import DatabaseEpoch, run

DAY = 86400
# Twice the longest life of a mailed code: for so long it can be asked for again.
CODE_SECONDS = 2 * 600

MADE_BEFORE, BEFORE = (bindparam(name, type_=BigInteger) for name in ("made_before", "before"))
# Budgets count by the database's clock, unless the host has one of its own.
COUNTED_NOW: Any = func.coalesce(bindparam("counted_now", type_=BigInteger), DatabaseEpoch())
AUDIT, BUDGETS, CODES = map(table, (AuditRow, Budget, EmailChallenge))
AUDIT_ROWS = Expiring("audit", AUDIT, and_(AUDIT.c.at < BEFORE, AUDIT.c.position.is_not(None)))
# A short window may have been opened long after the long one of the same row.
WINDOWS_OVER = (BUDGETS.c[f"start_{n}"] <= COUNTED_NOW - DAY for n in (1, 2, 3))
OURS = (
    Expiring("codes", CODES, CODES.c.sent_at <= NOW - CODE_SECONDS),
    # Failures in a row count over whatever time.
    Expiring("budgets", BUDGETS, and_(*WINDOWS_OVER, BUDGETS.c.failures == 0)),
    KEPT,
    PASSKEY_CHALLENGES,
    RESET_HOLDS,
    Expiring("mails", JOBS, and_(JOBS.c.due_at.is_(None), JOBS.c.created_at < MADE_BEFORE)),
)


class Sweep:
    """The statements that count and drop the expired rows of one kind."""

    def __init__(self, expiring: Expiring) -> None:
        keys = tuple(expiring.rows.primary_key)
        self.pages = KeysetPages(keys[0])
        over = and_(self.pages.within, expiring.over)
        free = select(*keys).where(over).with_for_update(skip_locked=True)
        self.count = select(func.count()).select_from(expiring.rows).where(over)
        # The condition stands here once more for rows that were changed since `free` saw them.
        self.drop = delete(expiring.rows).where(over, tuple_(*keys).in_(free))


@dataclass(frozen=True)
class Retention:
    """Drops expired rows of the library and of the host.

    How long mails and audit rows are kept is in the settings.
    """

    parts: Parts

    def purge(self, size: int) -> dict[str, int]:
        """Drop them, `size` keys in a transaction: how many rows of what. Raises AuditBroken."""
        times, parts = self._times(), self.parts
        dropped = {kind.what: self._sweep(kind, size, times) for kind in self._kinds()}
        if parts.settings.keep_audit_days:
            before, now = times["before"], times["now"]
            dropped[AUDIT_ROWS.what] = sum(
                purge(parts.transactions, parts.keyring, before=before, now=now, batch=size)
            )
        return dropped

    def count(self, size: int) -> dict[str, int]:
        """How many rows of what expired. Of audit rows `purge` may drop fewer: up to a head."""
        times, kinds = self._times(), self._kinds()
        if self.parts.settings.keep_audit_days:
            kinds.append(AUDIT_ROWS)
        return {kind.what: self._sweep(kind, size, times, dry=True) for kind in kinds}

    def _kinds(self) -> list[Expiring]:
        accounts = self.parts.accounts
        return [*(accounts.expiring() if isinstance(accounts, HoldsExpiring) else ()), *OURS]

    def _times(self) -> dict[str, Any]:
        now = int(self.parts.clock())
        return {
            "now": now,
            "counted_now": None if self.parts.clock is time.time else now,
            "made_before": now - self.parts.settings.keep_mails_days * DAY,
            "before": now - self.parts.settings.keep_audit_days * DAY,
        }

    def _sweep(self, kind: Expiring, size: int, times: dict[str, Any], *, dry: bool = False) -> int:
        """How many rows of the kind were dropped, or `dry`, would be."""
        sweep, rows = Sweep(kind), 0
        for page in sweep.pages.pages(self.parts.transactions, size):
            bounds = times | page.bounds
            if dry:
                with self.parts.transactions.read() as session:
                    rows += run(session, sweep.count, bounds).scalar_one()
            else:
                with self.parts.transactions.begin() as session:
                    rows += run(session, sweep.drop, bounds).rowcount
        return rows

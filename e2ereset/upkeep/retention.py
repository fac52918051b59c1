"""Retention: drops what has had its time, in batches that stand in nobody's way.

A row that somebody holds at that moment is left to the next purge. So a purge never waits while it
holds rows itself, and can not lock itself up with a request or with another purge.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, delete, func, select, tuple_

from e2ereset import audit
from e2ereset.audit.models import AuditRow
from e2ereset.crypto import KeyRing
from e2ereset.factors.models import Budget, EmailChallenge
from e2ereset.jobs.queue import JOBS
from e2ereset.settings import Settings
from e2ereset.store.paging import Walk
from e2ereset.store.retained import NOW, Expiring
from e2ereset.store.tables import table
from e2ereset.store.transactions import DatabaseEpoch, Transactions, run

DAY = 86400
# Twice the longest life of a mailed code: for so long it can be asked for again.
CODE_SECONDS = 2 * 600

MADE_BEFORE, BEFORE = (bindparam(name, type_=BigInteger) for name in ("made_before", "before"))
# Budgets count by the database's clock, unless the host has one of its own.
COUNTED_NOW: Any = func.coalesce(bindparam("counted_now", type_=BigInteger), DatabaseEpoch())
AUDIT, BUDGETS, CODES = map(table, (AuditRow, Budget, EmailChallenge))
AUDIT_ROWS = Expiring("audit", AUDIT, and_(AUDIT.c.at < BEFORE, AUDIT.c.position.is_not(None)))
OURS = (
    Expiring("codes", CODES, CODES.c.sent_at <= NOW - CODE_SECONDS),
    # A short window may have been opened long after the long one of the same row.
    # Failures in a row count over whatever time.
    Expiring(
        "budgets",
        BUDGETS,
        and_(
            *(BUDGETS.c[f"start_{n}"] <= COUNTED_NOW - DAY for n in (1, 2, 3)),
            BUDGETS.c.failures == 0,
        ),
    ),
    Expiring("mails", JOBS, and_(JOBS.c.due_at.is_(None), JOBS.c.created_at < MADE_BEFORE)),
)


class Sweep:
    """The statements that count and drop the rows of one kind whose time is over."""

    def __init__(self, expiring: Expiring) -> None:
        keys = tuple(expiring.rows.primary_key)
        self.what = expiring.what
        self.walk = Walk(keys[0])
        over = and_(self.walk.within, expiring.over)
        free = select(*keys).where(over).with_for_update(skip_locked=True)
        self.count = select(func.count()).select_from(expiring.rows).where(over)
        # The condition stands here once more for rows that were changed since `free` saw them.
        self.drop = delete(expiring.rows).where(over, tuple_(*keys).in_(free))


class Retention:
    """Drops what is over; how long mails and audit rows are kept is in the settings."""

    def __init__(
        self,
        transactions: Transactions,
        keyring: KeyRing,
        *,
        settings: Settings,
        expiring: Iterable[Expiring],
        clock: Callable[[], float],
    ) -> None:
        self._transactions = transactions
        self._keyring = keyring
        self._settings = settings
        self._sweeps = [Sweep(kind) for kind in (*expiring, *OURS)]
        self._clock = clock

    def purge(self, size: int) -> dict[str, int]:
        """Drop it, `size` keys in a transaction: how many rows of what. Raises AuditBroken."""
        times = self._times()
        dropped = {sweep.what: self._drop(sweep, size, times) for sweep in self._sweeps}
        if self._settings.keep_audit_days:
            batches = audit.purge(
                self._transactions,
                self._keyring,
                before=times["before"],
                now=times["now"],
                batch=size,
            )
            dropped[AUDIT_ROWS.what] = sum(batches)
        return dropped

    def count(self, size: int) -> dict[str, int]:
        """How many rows of what are over. Audit rows only go up to a head, so it may be fewer."""
        times, sweeps = self._times(), self._sweeps
        if self._settings.keep_audit_days:
            sweeps = [*sweeps, Sweep(AUDIT_ROWS)]
        return {sweep.what: self._count(sweep, size, times) for sweep in sweeps}

    def _times(self) -> dict[str, Any]:
        now = int(self._clock())
        counted_now = None if self._clock is time.time else now
        mails, rows = self._settings.keep_mails_days, self._settings.keep_audit_days
        return {
            "now": now,
            "counted_now": counted_now,
            "made_before": now - mails * DAY,
            "before": now - rows * DAY,
        }

    def _drop(self, sweep: Sweep, size: int, times: dict[str, Any]) -> int:
        dropped = 0
        for page in sweep.walk.pages(self._transactions, size):
            with self._transactions.begin() as session:
                dropped += run(session, sweep.drop, {**times, **page.bounds}).rowcount
        return dropped

    def _count(self, sweep: Sweep, size: int, times: dict[str, Any]) -> int:
        counted = 0
        for page in sweep.walk.pages(self._transactions, size):
            with self._transactions.read() as session:
                counted += run(session, sweep.count, {**times, **page.bounds}).scalar_one()
        return counted

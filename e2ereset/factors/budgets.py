"""Budgets: how often an account may try, or be sent something, within three windows of time.

A charge is one statement that counts a try or refuses it. It is committed before the code is
compared, so that neither parallel requests nor a later rollback give a free try (SPEC 2,
"Budgets"). The same statement counts failures in a row, however long they take: after a hundred
the budget is locked.

The time comes from the database's clock, which all machines share. If that clock jumps forward
and back again, some windows start in the future. A window that starts in the future by its whole
length or more counts as over. A nearer one is moved to start now when it is next read. So no
window refuses for longer than its length.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, or_
from sqlalchemy.orm import Session

from e2ereset.errors import TooManyAttempts
from e2ereset.metrics.meter import UNCOUNTED, Meter
from e2ereset.store.statements import Inserts, Opened, Statement
from e2ereset.store.tables import table
from e2ereset.store.transactions import DatabaseEpoch, Transactions, run

from .models import Budget

Windows = tuple[tuple[int, int], ...]
"""Three pairs (length in seconds, most charges)."""

MOST_IN_A_ROW = 100
"""After this many failures in a row the budget is locked: NIST SP 800-63B 5.2.2."""

BUDGETS = table(Budget)
NUMBERS = (1, 2, 3)
NOW: Any = sa.func.coalesce(bindparam("now", type_=sa.BigInteger), DatabaseEpoch())
ACCOUNT: Any = bindparam("account")
PURPOSE: Any = bindparam("for")
MINE = BUDGETS.c.account_id == ACCOUNT
THIS = sa.and_(MINE, BUDGETS.c.purpose == PURPOSE)
LOCKED = BUDGETS.c.failures >= MOST_IN_A_ROW


def _start(number: int) -> Any:
    return BUDGETS.c[f"start_{number}"]


def _count(number: int) -> Any:
    return BUDGETS.c[f"count_{number}"]


def _over(number: int) -> Any:
    length = bindparam(f"length_{number}", type_=sa.BigInteger)
    return or_(_start(number) + length <= NOW, _start(number) >= NOW + length)


def _moved(number: int) -> Any:
    # A window that starts in the near future keeps its count and starts now: a clock that steps
    # back a little gives no new tries.
    return sa.case((or_(_over(number), _start(number) > NOW), NOW), else_=_start(number))


@Statement
def CHARGE(insert: Inserts) -> sa.Executable:
    """Start a window or count in it. No row comes back if a window is full or it is locked."""
    failed: Any = bindparam("failed")
    fresh = {f"start_{n}": NOW for n in NUMBERS} | {f"count_{n}": 1 for n in NUMBERS}
    counted = {f"start_{n}": _moved(n) for n in NUMBERS}
    counted |= {f"count_{n}": sa.case((_over(n), 1), else_=_count(n) + 1) for n in NUMBERS}
    open_now = (or_(_over(n), _count(n) < bindparam(f"most_{n}")) for n in NUMBERS)
    return (
        insert(BUDGETS)
        .values(account_id=ACCOUNT, purpose=PURPOSE, failures=failed, **fresh)
        .on_conflict_do_update(
            index_elements=[BUDGETS.c.account_id, BUDGETS.c.purpose],
            set_=counted | {"failures": BUDGETS.c.failures + failed},
            where=sa.and_(*open_now, sa.not_(LOCKED)),
        )
        .returning(*map(_start, NUMBERS), *map(_count, NUMBERS), BUDGETS.c.failures)
    )


def _refund(*others: Any, failures: Any = 0) -> sa.Update:
    own = BUDGETS.c.purpose == PURPOSE
    counts = {
        # A window that started after the charge did not count it.
        f"count_{n}": sa.case(
            (sa.and_(own, _start(n) == bindparam(f"charged_{n}")), _count(n) - 1), else_=_count(n)
        )
        for n in NUMBERS
    }
    return (
        sa.update(BUDGETS).where(MINE, or_(own, *others)).values({**counts, "failures": failures})
    )


REFUND = Statement(_refund())
REFUND_AND_UNLOCK = Statement(_refund(LOCKED))
TAKE_BACK = Statement(
    _refund(failures=sa.case((BUDGETS.c.failures > 0, BUDGETS.c.failures - 1), else_=0))
)

STATE = Statement(
    sa.select(
        *map(_start, NUMBERS), *map(_count, NUMBERS), BUDGETS.c.failures, NOW.label("now")
    ).where(THIS)
)
MOVED = {f"start_{n}": sa.case((_start(n) > NOW, NOW), else_=_start(n)) for n in NUMBERS}
MOVE = sa.update(BUDGETS).where(THIS).values(MOVED)
ALL_LOCKS = (
    sa.select(BUDGETS.c.account_id, BUDGETS.c.purpose).where(LOCKED).order_by(BUDGETS.c.purpose)
)
LOCKS = Statement(sa.select(BUDGETS.c.purpose).where(MINE, LOCKED).order_by(BUDGETS.c.purpose))
REOPEN = sa.delete(BUDGETS).where(THIS)
# It deletes the whole rows, as the owner or an operator wants to try at once.
OF_TRIES = or_(BUDGETS.c.purpose.like("verify:%"), BUDGETS.c.purpose.like("login:%"))
UNLOCK = sa.delete(BUDGETS).where(MINE, OF_TRIES).returning(BUDGETS.c.purpose, BUDGETS.c.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One counted try.

    `last`: it was the last try that a window allows for now. `locks`: the budget is locked by it,
    unless the try succeeds.
    """

    account_id: str
    purpose: str
    starts: tuple[int, int, int]
    last: bool
    locks: bool


class Budgets:
    """Charges budgets and refunds them, in separate transactions where the count has to survive.

    With `by_database` the time is the database's; otherwise it is the `now` that the caller gives,
    in epoch seconds.
    """

    def __init__(
        self, transactions: Transactions, meter: Meter = UNCOUNTED, *, by_database: bool = False
    ) -> None:
        self._transactions = transactions
        self._meter = meter
        self._by_database = by_database

    def charge(
        self, account_id: str, purpose: str, windows: Windows, now: int, *, guess: bool = False
    ) -> Charge:
        """Count one try and commit. Raises TooManyAttempts when a window is full or it is locked.

        A `guess` counts as a failure in a row until it is refunded.
        """
        # On a bare connection: every try pays for this transaction, and a session costs more.
        with self._transactions.single() as driver:
            charge = self.charge_in(
                driver, account_id, purpose, windows=windows, now=now, guess=guess
            )
        if charge is None:
            raise self.refusal(account_id, purpose, windows, now) or TooManyAttempts(1)
        return charge

    def charge_in(
        self,
        session: Opened,
        account_id: str,
        purpose: str,
        *,
        windows: Windows,
        now: int,
        guess: bool = False,
    ) -> Charge | None:
        """Count one try in an open transaction. None when a window is full or it is locked.

        The meter counts the refusal by the `purpose` before an "@".
        """
        tried = {**self._this(account_id, purpose, now), "failed": int(guess)}
        for n, (length, most) in zip(NUMBERS, windows, strict=True):
            tried |= {f"length_{n}": length, f"most_{n}": most}
        row = CHARGE(session, tried).first()
        if row is None:
            self._meter.budget_refused(purpose.partition("@")[0])
            return None
        return Charge(
            account_id=account_id,
            purpose=purpose,
            starts=tuple(row[:3]),
            last=any(row[i + 3] >= most for i, (_, most) in enumerate(windows)),
            locks=row.failures >= MOST_IN_A_ROW,
        )

    def refund(self, session: Session, charge: Charge, *, unlocks: bool = False) -> None:
        """Take back exactly this charge, in every window that counted it.

        The failures in a row of its purpose begin at 0 again. With `unlocks` the other locked
        budgets of the account are unlocked too: the proof came from its owner.
        """
        # If the row was unlocked or purged meanwhile, there is nothing left to take back.
        (REFUND_AND_UNLOCK if unlocks else REFUND)(session, _charged(charge))

    def take_back(self, charge: Charge) -> None:
        """Take back a charge whose guess was not compared: earlier failures in a row stay."""
        with self._transactions.begin() as session:
            TAKE_BACK(session, _charged(charge))

    def reopen(self, session: Session, account_id: str, purpose: str) -> None:
        """Delete this one count: the secret that was guessed at is gone."""
        run(session, REOPEN, {"account": account_id, "for": purpose})

    def left(
        self, session: Session, account_id: str, purpose: str, *, windows: Windows, now: int
    ) -> int:
        """How many charges would be counted now, one after another; 0 while it is locked."""
        row = STATE(session, self._this(account_id, purpose, now)).first()
        if row is None:
            return min(most for _, most in windows)
        if row.failures >= MOST_IN_A_ROW:
            return 0
        counts = [0 if abs(row.now - row[i]) >= windows[i][0] else row[i + 3] for i in range(3)]
        return max(0, min(windows[i][1] - counts[i] for i in range(3)))

    def refusal(
        self, account_id: str, purpose: str, windows: Windows, now: int
    ) -> TooManyAttempts | None:
        """The refusal that a charge would raise now; None when the charge would be counted."""
        with self._transactions.look_up() as session:
            return self.refusal_in(session, account_id, purpose, windows=windows, now=now)

    def refusal_in(
        self, session: Session, account_id: str, purpose: str, *, windows: Windows, now: int
    ) -> TooManyAttempts | None:
        """`refusal`, in a session that is only read."""
        this = self._this(account_id, purpose, now)
        row = STATE(session, this).first()
        if row is None:
            return None
        if any(start > row.now for start in row[:3]):
            session.rollback()  # gives its connection back before the write takes one
            with self._transactions.engine.begin() as connection:
                connection.execute(MOVE, this)
        if row.failures >= MOST_IN_A_ROW:
            return TooManyAttempts(None)
        waits = [
            min(row[i], row.now) + length - row.now
            for i, (length, most) in enumerate(windows)
            if row[i + 3] >= most and row[i] - row.now < length
        ]
        return TooManyAttempts(max(waits)) if max(waits, default=0) > 0 else None

    def _this(self, account_id: str, purpose: str, now: int) -> dict[str, Any]:
        at = None if self._by_database else now
        return {"account": account_id, "for": purpose, "now": at}


def locks(session: Session, account_id: str) -> tuple[str, ...]:
    """The purposes that are locked for this account, sorted."""
    return tuple(row.purpose for row in LOCKS(session, {"account": account_id}))


def all_locks(session: Session) -> dict[str, list[str]]:
    """The locked purposes, sorted, of each account that has any."""
    found: dict[str, list[str]] = {}
    for account_id, purpose in session.execute(ALL_LOCKS):
        found.setdefault(account_id, []).append(purpose)
    return found


def unlock(session: Session, account_id: str) -> tuple[str, ...]:
    """Delete all counts of tries of this account; returns the purposes that were locked, sorted."""
    rows = run(session, UNLOCK, {"account": account_id}).all()
    return tuple(sorted(row.purpose for row in rows if row.failures >= MOST_IN_A_ROW))


def _charged(charge: Charge) -> dict[str, Any]:
    starts = {f"charged_{n}": start for n, start in zip(NUMBERS, charge.starts, strict=True)}
    return {"account": charge.account_id, "for": charge.purpose, **starts}

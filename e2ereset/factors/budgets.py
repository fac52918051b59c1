"""Budgets: how often an account may try, or be sent something, within three windows of time.

A charge is one statement that counts or refuses, committed before the code is looked at, so that
neither parallel requests nor a later rollback give a free try (SPEC 2, "Budgets"). The same
statement counts failures in a row, over whatever time: at a hundred it is locked.

Time is the database's, which is one for all machines. After its clock has jumped forward and back,
a window that lies its length or more in the future is open again, and one that lies nearer is
moved to now at the first look: no window is shut for longer than its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Executable,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from e2ereset.errors import TooManyAttempts
from e2ereset.metrics.meter import UNCOUNTED, Meter
from e2ereset.store.tables import table
from e2ereset.store.transactions import DatabaseEpoch, Inserts, PerDialect, Transactions, run

from .models import Budget

Windows = tuple[tuple[int, int], ...]
"""Three pairs (length in seconds, most charges)."""

MOST_IN_A_ROW = 100
"""Failures in a row after which nothing is looked at any more: NIST SP 800-63B 5.2.2."""

BUDGETS = table(Budget)
NUMBERS = (1, 2, 3)
NOW: Any = func.coalesce(bindparam("now", type_=BigInteger), DatabaseEpoch())
MINE = BUDGETS.c.account_id == bindparam("account")
LOCKED = BUDGETS.c.failures >= MOST_IN_A_ROW


def _start(number: int) -> Any:
    return BUDGETS.c[f"start_{number}"]


def _count(number: int) -> Any:
    return BUDGETS.c[f"count_{number}"]


def _over(number: int) -> Any:
    length = bindparam(f"length_{number}", type_=BigInteger)
    return or_(_start(number) + length <= NOW, _start(number) >= NOW + length)


def _moved(number: int) -> Any:
    # One of the near future counts on, from now: a small step back of the clock opens nothing anew.
    return case((or_(_over(number), _start(number) > NOW), NOW), else_=_start(number))


@PerDialect
def CHARGE(insert: Inserts) -> Executable:
    """Open a window or count in it; no row comes back where one is full, or all is locked."""
    failed: Any = bindparam("failed")
    fresh = {f"start_{n}": NOW for n in NUMBERS} | {f"count_{n}": 1 for n in NUMBERS}
    counted = {f"start_{n}": _moved(n) for n in NUMBERS}
    counted |= {f"count_{n}": case((_over(n), 1), else_=_count(n) + 1) for n in NUMBERS}
    open_now = (or_(_over(n), _count(n) < bindparam(f"most_{n}")) for n in NUMBERS)
    return (
        insert(BUDGETS)
        .values(
            account_id=bindparam("account_id"),
            purpose=bindparam("purpose"),
            failures=failed,
            **fresh,
        )
        .on_conflict_do_update(
            index_elements=[BUDGETS.c.account_id, BUDGETS.c.purpose],
            set_=counted | {"failures": BUDGETS.c.failures + failed},
            where=and_(*open_now, not_(LOCKED)),
        )
        .returning(*map(_start, NUMBERS), *map(_count, NUMBERS), BUDGETS.c.failures)
    )


def _refund(*others: Any, failures: Any = 0) -> Update:
    own = BUDGETS.c.purpose == bindparam("for")
    counts = {
        # A window that was opened anew since the charge has not counted it.
        f"count_{n}": case(
            (and_(own, _start(n) == bindparam(f"charged_{n}")), _count(n) - 1), else_=_count(n)
        )
        for n in NUMBERS
    }
    return update(BUDGETS).where(MINE, or_(own, *others)).values({**counts, "failures": failures})


REFUND = _refund()
REFUND_AND_UNLOCK = _refund(LOCKED)
TAKE_BACK = _refund(failures=case((BUDGETS.c.failures > 0, BUDGETS.c.failures - 1), else_=0))

STATE = select(
    *map(_start, NUMBERS), *map(_count, NUMBERS), BUDGETS.c.failures, NOW.label("now")
).where(MINE, BUDGETS.c.purpose == bindparam("for"))
MOVE = (
    update(BUDGETS)
    .where(MINE, BUDGETS.c.purpose == bindparam("for"))
    .values({f"start_{n}": case((_start(n) > NOW, NOW), else_=_start(n)) for n in NUMBERS})
)
ALL_LOCKS = select(BUDGETS.c.account_id, BUDGETS.c.purpose).where(LOCKED)
LOCKS = select(BUDGETS.c.purpose).where(MINE, LOCKED).order_by(BUDGETS.c.purpose)
REOPEN = delete(BUDGETS).where(MINE, BUDGETS.c.purpose == bindparam("for"))
# Whole rows: their owner, or an operator, wants to try now.
UNLOCK = (
    delete(BUDGETS)
    .where(MINE, or_(*(BUDGETS.c.purpose.like(f"{kind}:%") for kind in ("verify", "login"))))
    .returning(BUDGETS.c.purpose, BUDGETS.c.failures)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One counted try. `last`: it was the last one that a window allows for now.

    `locks`: it was the last one at all, unless it succeeds.
    """

    account_id: str
    purpose: str
    starts: tuple[int, int, int]
    last: bool
    locks: bool


class Budgets:
    """Charges and refunds, in transactions of their own where the count has to survive.

    With `by_database` the time is the database's; otherwise it is what the caller says.
    """

    def __init__(
        self,
        transactions: Transactions,
        meter: Meter = UNCOUNTED,
        *,
        by_database: bool = False,
    ) -> None:
        self._transactions = transactions
        self._meter = meter
        self._by_database = by_database

    def charge(
        self, account_id: str, purpose: str, windows: Windows, now: int, *, guess: bool = False
    ) -> Charge:
        """Count one and commit. Raises TooManyAttempts when a window is full, or all is locked.

        A `guess` counts as a failure in a row until it is refunded.
        """
        # On a bare connection: this transaction is on every try's way, and a session costs more.
        with self._transactions.engine.begin() as connection:
            charge = self.charge_in(
                connection, account_id, purpose, windows=windows, now=now, guess=guess
            )
        if charge is None:
            raise self.refusal(account_id, purpose, windows, now) or TooManyAttempts(1)
        return charge

    def charge_in(
        self,
        session: Session | Connection,
        account_id: str,
        purpose: str,
        *,
        windows: Windows,
        now: int,
        guess: bool = False,
    ) -> Charge | None:
        """Count one within an open transaction; None when a window is full, or all is locked."""
        at = self._time(now)
        charge = charge_in(session, account_id, purpose, windows=windows, now=at, guess=guess)
        if charge is None:
            self._meter.budget_refused(purpose.partition("@")[0])
        return charge

    def refund(self, session: Session, charge: Charge, *, unlocks: bool = False) -> None:
        """Take back exactly this charge, in every window that counted it; end its row of failures.

        It `unlocks` what else is locked of the account: the proof was its owner's.
        """
        # No row is left where it was unlocked, or purged, meanwhile: then nothing is counted.
        run(session, REFUND_AND_UNLOCK if unlocks else REFUND, _charged(charge))

    def take_back(self, charge: Charge) -> None:
        """Take back a charge whose guess was not looked at: it ends no row of failures."""
        with self._transactions.begin() as session:
            run(session, TAKE_BACK, _charged(charge))

    def reopen(self, session: Session, account_id: str, purpose: str) -> None:
        """Begin this one count anew: what was guessed at is there no more."""
        run(session, REOPEN, {"account": account_id, "for": purpose})

    def refusal(
        self, account_id: str, purpose: str, windows: Windows, now: int
    ) -> TooManyAttempts | None:
        """What a charge would be refused with now; None when it would be taken."""
        mine = {"account": account_id, "for": purpose, "now": self._time(now)}
        with self._transactions.engine.connect() as connection:
            row = connection.execute(STATE, mine).first()
        if row is None:
            return None
        if any(start > row.now for start in row[:3]):
            with self._transactions.engine.begin() as connection:
                connection.execute(MOVE, mine)
        if row.failures >= MOST_IN_A_ROW:
            return TooManyAttempts(None)
        waits = [
            min(row[i], row.now) + length - row.now
            for i, (length, most) in enumerate(windows)
            if row[i + 3] >= most and row[i] - row.now < length
        ]
        return TooManyAttempts(max(waits)) if max(waits, default=0) > 0 else None

    def _time(self, now: int) -> int | None:
        return None if self._by_database else now


def charge_in(
    session: Session | Connection,
    account_id: str,
    purpose: str,
    *,
    windows: Windows,
    now: int | None,
    guess: bool = False,
) -> Charge | None:
    """Count one within an open transaction; None when a window is full, or all is locked.

    `now` is in epoch seconds; None is the database's own time.
    """
    parameters: dict[str, Any] = {"account_id": account_id, "purpose": purpose, "now": now}
    for number, (length, most) in zip(NUMBERS, windows, strict=True):
        parameters |= {f"length_{number}": length, f"most_{number}": most}
    row = CHARGE(session, {**parameters, "failed": int(guess)}).first()
    if row is None:
        return None
    counts: tuple[int, ...] = tuple(row)[3:6]
    last = any(count >= most for count, (_, most) in zip(counts, windows, strict=True))
    return Charge(
        account_id=account_id,
        purpose=purpose,
        starts=tuple(row[:3]),
        last=last,
        locks=row.failures >= MOST_IN_A_ROW,
    )


def locks(session: Session, account_id: str) -> tuple[str, ...]:
    """The purposes that are locked for this account, sorted."""
    return tuple(session.scalars(LOCKS, {"account": account_id}))


def all_locks(session: Session) -> dict[str, list[str]]:
    """The purposes that are locked, sorted, for each account that has any."""
    found: dict[str, list[str]] = {}
    for account_id, purpose in session.execute(ALL_LOCKS):
        found.setdefault(account_id, []).append(purpose)
    return {account_id: sorted(purposes) for account_id, purposes in found.items()}


def unlock(session: Session, account_id: str) -> tuple[str, ...]:
    """Begin all counts of tries of this account anew; the purposes that were locked, sorted."""
    rows = run(session, UNLOCK, {"account": account_id}).all()
    return tuple(sorted(row.purpose for row in rows if row.failures >= MOST_IN_A_ROW))


def _charged(charge: Charge) -> dict[str, Any]:
    starts = {f"charged_{n}": start for n, start in zip(NUMBERS, charge.starts, strict=True)}
    return {"account": charge.account_id, "for": charge.purpose, **starts}

"""Budgets: how often an account may try, or be sent something, within three windows of time.

A charge is one statement that counts or refuses, committed before the code is looked at, so that
neither parallel requests nor a later rollback give a free try (SPEC 2, "Budgets").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Executable, and_, bindparam, case, or_, select, update
from sqlalchemy.orm import Session

from .errors import TooManyAttempts
from .models import Budget, table
from .operations.meter import UNCOUNTED, Meter
from .sql import Inserts, PerDialect, Transactions, run

Windows = tuple[tuple[int, int], ...]
"""Three pairs (length in seconds, most charges)."""

BUDGETS = table(Budget)
NUMBERS = (1, 2, 3)
NOW: Any = bindparam("now")


def _start(number: int) -> Any:
    return BUDGETS.c[f"start_{number}"]


def _count(number: int) -> Any:
    return BUDGETS.c[f"count_{number}"]


def _over(number: int) -> Any:
    # A window of the future counts on: of two machines whose clocks differ, none may open it anew.
    return _start(number) + bindparam(f"length_{number}") <= NOW


@PerDialect
def CHARGE(insert: Inserts) -> Executable:
    """Open a window or count in it; no row comes back where one of them is full."""
    fresh = {f"start_{n}": NOW for n in NUMBERS} | {f"count_{n}": 1 for n in NUMBERS}
    counted = {f"start_{n}": case((_over(n), NOW), else_=_start(n)) for n in NUMBERS}
    counted |= {f"count_{n}": case((_over(n), 1), else_=_count(n) + 1) for n in NUMBERS}
    return (
        insert(BUDGETS)
        .values(account_id=bindparam("account_id"), purpose=bindparam("purpose"), **fresh)
        .on_conflict_do_update(
            index_elements=[BUDGETS.c.account_id, BUDGETS.c.purpose],
            set_=counted,
            where=and_(*(or_(_over(n), _count(n) < bindparam(f"most_{n}")) for n in NUMBERS)),
        )
        .returning(*(_start(n) for n in NUMBERS), *(_count(n) for n in NUMBERS))
    )


REFUND = (
    update(BUDGETS)
    .where(BUDGETS.c.account_id == bindparam("account"), BUDGETS.c.purpose == bindparam("for"))
    .values(
        {
            # A window that was opened anew since the charge has not counted it.
            f"count_{n}": case(
                (_start(n) == bindparam(f"charged_{n}"), _count(n) - 1), else_=_count(n)
            )
            for n in NUMBERS
        }
    )
)

STATE = select(*(_start(n) for n in NUMBERS), *(_count(n) for n in NUMBERS)).where(
    BUDGETS.c.account_id == bindparam("account_id"), BUDGETS.c.purpose == bindparam("purpose")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One counted try. `last`: it was the last one that a window allows for now."""

    account_id: str
    purpose: str
    starts: tuple[int, int, int]
    last: bool


class Budgets:
    """Charges and refunds, in transactions of their own where the count has to survive."""

    def __init__(self, transactions: Transactions, meter: Meter = UNCOUNTED) -> None:
        self._transactions = transactions
        self._meter = meter

    def charge(self, account_id: str, purpose: str, windows: Windows, now: int) -> Charge:
        """Count one and commit. Raises TooManyAttempts when a window is full."""
        # On a bare connection: this transaction is on every try's way, and a session costs more.
        with self._transactions.engine.begin() as connection:
            charge = charge_in(connection, account_id, purpose, windows=windows, now=now)
        if charge is None:
            self._meter.budget_refused(purpose)
            raise TooManyAttempts(self.wait(account_id, purpose, windows, now) or 1)
        return charge

    def refund(self, session: Session, charge: Charge) -> None:
        """Take back exactly this charge, in every window that counted it."""
        starts = {f"charged_{n}": start for n, start in zip(NUMBERS, charge.starts, strict=True)}
        run(session, REFUND, {"account": charge.account_id, "for": charge.purpose, **starts})

    def wait(self, account_id: str, purpose: str, windows: Windows, now: int) -> int:
        """Seconds until a charge would be taken again; 0 when one would be taken now."""
        with self._transactions.engine.connect() as connection:
            row = connection.execute(STATE, {"account_id": account_id, "purpose": purpose}).first()
        if row is None:
            return 0
        waits = [
            row[i] + length - now for i, (length, most) in enumerate(windows) if row[i + 3] >= most
        ]
        return max(0, *waits) if waits else 0


def charge_in(
    session: Session | Connection, account_id: str, purpose: str, *, windows: Windows, now: int
) -> Charge | None:
    """Count one within an open transaction; None when a window is full."""
    parameters: dict[str, Any] = {"account_id": account_id, "purpose": purpose, "now": now}
    for number, (length, most) in zip(NUMBERS, windows, strict=True):
        parameters |= {f"length_{number}": length, f"most_{number}": most}
    row = CHARGE(session, parameters).first()
    if row is None:
        return None
    counts: tuple[int, ...] = tuple(row)[3:]
    last = any(count >= most for count, (_, most) in zip(counts, windows, strict=True))
    return Charge(account_id=account_id, purpose=purpose, starts=tuple(row[:3]), last=last)

"""Leases: how one worker of many gets a job, and how it gives the job back.

The lease is one conditional UPDATE that also moves `due_at`. So of two workers one gets the job,
and a job whose worker was killed is due again when the lease runs out.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import BigInteger, Executable, and_, bindparam, case, delete, select, update

from e2ereset.store.transactions import Transactions, run

from .queue import JOBS, URGENT

# Longer than one job may take (MOST_SECONDS in mail/smtp.py), so that a second worker never takes
# over a job that is under way.
LEASE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A job that is ours until the lease runs out. Times are epoch seconds."""

    id: int
    kind: str
    recipient: str
    sealed: str = field(repr=False)
    created_at: int
    expires_at: int | None
    give_up_at: int | None
    attempts: int
    lease: str


ANY_DUE = select(JOBS.c.id).where(JOBS.c.due_at <= bindparam("due_by")).limit(1)
NOW, DUE_BY = (bindparam(name, type_=BigInteger) for name in ("now", "due_by"))
# Somebody waits for an urgent job: it is taken even if it was put in during this call.
BY = case((JOBS.c.urgency == URGENT, NOW), else_=DUE_BY)
# The first condition is for SQLite, which uses the index only where it sees it.
DUE = and_(JOBS.c.due_at.is_not(None), JOBS.c.due_at <= BY)
# SKIP LOCKED, where the database has it, lets a second worker take the next job at once.
NEXT = (
    select(JOBS.c.id)
    .where(DUE)
    .order_by(JOBS.c.urgency, JOBS.c.due_at, JOBS.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
    .correlate(None)
)
LEASE = (
    update(JOBS)
    .where(JOBS.c.id == NEXT.scalar_subquery(), DUE)
    .values(due_at=bindparam("until"), lease=bindparam("token"), attempts=JOBS.c.attempts + 1)
    .returning(*(JOBS.c[column.name] for column in fields(Leased)))
)
HELD = and_(JOBS.c.id == bindparam("job"), JOBS.c.lease == bindparam("token"))
RELEASE = update(JOBS).where(HELD).values(lease=None, outcome=bindparam("why"))
# Due again at another time.
PUT_OFF = RELEASE.values(due_at=bindparam("again_at"))
CLOSE = RELEASE.values(sealed=None, due_at=None, once=None, delivered_at=bindparam("done_at"))
DROP = delete(JOBS).where(HELD)
# The job has failed for good: its row stays for an operator to see, and its facts so that it can be
# tried again. An operator has no use for what expires.
KEPT = case((JOBS.c.expires_at.is_(None), JOBS.c.sealed))
GIVE_UP = RELEASE.values(sealed=KEPT, due_at=None, once=None, give_up_at=bindparam("now"))


def any_due(transactions: Transactions, now: int) -> bool:
    """Whether a job is due. It writes nothing: an idle worker must not take SQLite's write lock."""
    with transactions.read() as session:
        return session.scalar(ANY_DUE, {"due_by": now}) is not None


def lease(transactions: Transactions, token: str, *, now: int, due_by: int) -> Leased | None:
    """Take the next job that was due at `due_by`, or is urgent and due now. None without one."""
    times = {"due_by": due_by, "now": now, "until": now + LEASE_SECONDS}
    with transactions.begin() as session:
        row = run(session, LEASE, {**times, "token": token}).one_or_none()
    return None if row is None else Leased(**row._asdict())


def close(transactions: Transactions, job: Leased, why: str, *, done_at: int | None = None) -> None:
    """The job is over: drop its facts. Nothing happens when the lease is lost.

    A job for a recipient leaves its row as a record, any other job leaves nothing.
    """
    end(transactions, CLOSE if job.recipient else DROP, job, why=why, done_at=done_at)


def end(transactions: Transactions, how: Executable, job: Leased, **values: Any) -> None:
    """End the lease by CLOSE, DROP, PUT_OFF or GIVE_UP. Nothing happens when it is lost."""
    with transactions.begin() as session:
        run(session, how, {"job": job.id, "token": job.lease, **values})

"""What operators see of the queue, never a job's facts, and what they do with failed jobs."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Delete, Row, Select, Update, bindparam, delete, select, update
from sqlalchemy.orm import Session

from e2ereset.errors import E2EResetError
from e2ereset.records import iso
from e2ereset.store.transactions import run

from .queue import FAILED, GIVE_UP_SECONDS, JOBS, STATE

TIMES = ("created", "due", "since")
HAS_FACTS = JOBS.c.sealed.is_not(None)


def _listing(*columns: ColumnElement[Any]) -> Select[Any]:
    shown = (JOBS.c[name] for name in ("id", "kind", "recipient", "attempts", "outcome"))
    query = select(*shown, JOBS.c.created_at.label("created"), *columns)
    return query.order_by(JOBS.c.id.desc()).limit(bindparam("limit"))


TAIL = _listing(JOBS.c.due_at.label("due"), STATE.label("state"))
DEAD = _listing(JOBS.c.give_up_at.label("since"), HAS_FACTS.label("retriable"))
DEAD = DEAD.where(STATE == FAILED)
NAMES = (JOBS.c.id, JOBS.c.kind)
DROP = delete(JOBS).where(STATE == FAILED).returning(*NAMES)
RETRY = (
    update(JOBS)
    .where(STATE == FAILED, HAS_FACTS)
    .values(due_at=bindparam("now"), give_up_at=bindparam("until"), attempts=0, outcome=None)
    .returning(*NAMES)
)


class NoSuchJob(E2EResetError):
    """No failed job has this id, or it cannot be tried again."""


def tail(session: Session, limit: int) -> list[dict[str, Any]]:
    """The newest `limit` jobs, newest last: ISO times, state and outcome, never the facts.

    A state is queued, leased (under way), delivered (done), expired or failed (given up). `due` is
    None for jobs that are over, `outcome` for those not tried yet.
    """
    return _listed(session, TAIL, limit)


def failed(session: Session, limit: int) -> list[dict[str, Any]]:
    """The newest `limit` jobs that were given up, newest last, as in `tail`.

    `since` is when that was; None where an older version did it. A job that is not `retriable` has
    no facts any more, as a code has none, and can only be dropped.
    """
    return _listed(session, DEAD, limit)


def retry(session: Session, ids: Collection[int] | None, now: int) -> list[Row[Any]]:
    """Make these failed jobs due at `now` (epoch seconds), to be tried for as long as new ones.

    None means all that can be. Gives the id and kind of each. Raises NoSuchJob where there is not
    such a job for each id.
    """
    return _change(session, RETRY, ids, "retried", now=now, until=now + GIVE_UP_SECONDS)


def drop(session: Session, ids: Collection[int] | None, _now: int) -> list[Row[Any]]:
    """Drop these failed jobs, or all when None; otherwise as `retry`."""
    return _change(session, DROP, ids, "dropped")


def _listed(session: Session, query: Select[Any], limit: int) -> list[dict[str, Any]]:
    rows = session.execute(query, {"limit": limit}).mappings().all()
    return [{name: _shown(name, value) for name, value in row.items()} for row in reversed(rows)]


def _shown(name: str, value: Any) -> Any:
    return iso(value) if name in TIMES and value is not None else value


def _change(
    session: Session, how: Update | Delete, ids: Collection[int] | None, done: str, **times: int
) -> list[Row[Any]]:
    if ids is not None:
        how = how.where(JOBS.c.id.in_(ids))
    changed = sorted(run(session, how, times).all())
    missing = sorted({*(ids or ())} - {row.id for row in changed})
    if missing:
        raise NoSuchJob(
            f"There is no failed job {missing[0]} that can be {done}: see `e2ereset outbox failed`."
        )
    return changed

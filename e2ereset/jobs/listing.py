"""What an operator sees of the queue: never a job's facts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from e2ereset.records import iso

from .queue import JOBS, STATE

TAIL = (
    select(
        *(JOBS.c[name] for name in ("id", "kind", "recipient", "attempts", "outcome")),
        JOBS.c.created_at.label("created"),
        JOBS.c.due_at.label("due"),
        STATE.label("state"),
    )
    .order_by(JOBS.c.id.desc())
    .limit(bindparam("limit"))
)


def tail(session: Session, limit: int) -> list[dict[str, Any]]:
    """The newest `limit` jobs, newest last: ISO times, state and outcome, never the facts.

    A state is queued, leased (under way), delivered (done), expired or failed (given up). `due` is
    None for jobs that are over, `outcome` for those not tried yet.
    """
    rows = session.execute(TAIL, {"limit": limit}).all()
    return [_shown(row) for row in reversed(rows)]


def _shown(row: Row[Any]) -> dict[str, Any]:
    due = None if row.due is None else iso(row.due)
    return {**row._mapping, "created": iso(row.created), "due": due}

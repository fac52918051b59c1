"""The queue: a transaction puts jobs in; their facts are encrypted.

Putting a job in does none of its work, so that a reset pays one encryption and one row for each
recipient of a mail.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Executable, case, insert
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.store.retained import Encrypted
from e2ereset.store.statements import Inserts, Statement
from e2ereset.store.tables import table

from .models import Job

PURPOSE = "outbox"
URGENT, NORMAL, IDLE = range(3)
"""Urgencies: what somebody waits for, what is usual, and what is done after all else."""
NOBODY = ("",)
GIVE_UP_SECONDS = 7 * 24 * 3600
"""For so long after its time a job that fails is tried again."""
DELIVERED, EXPIRED, FAILED = "delivered", "expired", "failed"

JOBS = table(Job)
ENCRYPTED = Encrypted(JOBS.c.sealed, PURPOSE, lambda row: _context(row.kind, row.recipient))
STATE = case(
    (JOBS.c.delivered_at.is_not(None), DELIVERED),
    (JOBS.c.lease.is_not(None), "leased"),
    (JOBS.c.due_at.is_not(None), "queued"),
    (JOBS.c.outcome == EXPIRED, EXPIRED),
    else_=FAILED,
)
# Inline: nobody needs the id that the database gives, so it is not fetched.
PUT = Statement(insert(JOBS).inline())


@Statement
def PUT_ONCE(insert: Inserts) -> Executable:
    """Put it in, or move the end of the job that waits with the same `once`.

    Both write a row: otherwise the time of the answer would tell whether a job waits.
    """
    statement = insert(JOBS).inline()
    waits = {"expires_at": statement.excluded.expires_at}
    return statement.on_conflict_do_update(index_elements=[JOBS.c.once], set_=waits)


class Queue:
    """Puts jobs in, and reads the facts that it encrypted."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def put(
        self,
        session: Session,
        kind: str,
        facts: Mapping[str, Any],
        *,
        now: int,
        recipients: Iterable[str] = NOBODY,
        due_at: int | None = None,
        expires_at: int | None = None,
        urgency: int | None = None,
        once: str | None = None,
    ) -> None:
        """Queue one job of this kind for each recipient; nothing when there are none.

        Times are epoch seconds. The job is due at `due_at`, by default now. After `expires_at` it
        is not done any more; None means that it never expires. Without an `urgency`, what expires
        is URGENT and all else NORMAL. The facts are of types that JSON has.

        Of one kind and `once` one job waits at most: a second one only moves `expires_at`.
        """
        text = json.dumps(facts)
        due_at = now if due_at is None else due_at
        if urgency is None:
            urgency = NORMAL if expires_at is None else URGENT
        row = {
            "kind": kind,
            "created_at": now,
            "due_at": due_at,
            "give_up_at": due_at + GIVE_UP_SECONDS,
            "expires_at": expires_at,
            "attempts": 0,
            "urgency": urgency,
            "once": once and self._keys.digest("outbox once", kind, once),
        }
        put = PUT if once is None else PUT_ONCE
        for to in recipients:
            encrypted = self._keys.encrypt(PURPOSE, _context(kind, to), text)
            put(session, row | {"recipient": to, "sealed": encrypted})

    def facts(self, job: Any) -> dict[str, Any]:
        """The facts of a job, given as a row of its table.

        Raises UnknownKey unless kind and recipient are those that it was put in with.
        """
        context = _context(job.kind, job.recipient)
        return dict(json.loads(self._keys.decrypt(PURPOSE, context, job.sealed)))


def _context(kind: str, recipient: str) -> str:
    # A kind never holds a newline, so the two cannot run into each other.
    return f"{kind}\n{recipient}"

"""The outbox: mails queued in the transaction of what they tell of, their facts sealed.

Putting a mail in renders nothing; that is for delivery, so that a reset pays for one seal and
one row for each recipient.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, bindparam, case, insert, select
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.models import OutboxMail, table
from e2ereset.records import iso
from e2ereset.sql import run
from e2ereset.stored import Sealed

PURPOSE = "outbox"
DELIVERED, EXPIRED = "delivered", "expired"

OUTBOX = table(OutboxMail)
SEALED = Sealed(OUTBOX.c.sealed, PURPOSE, lambda row: _context(row.kind, row.recipient))
STATE = case(
    (OUTBOX.c.delivered_at.is_not(None), DELIVERED),
    (OUTBOX.c.lease.is_not(None), "leased"),
    (OUTBOX.c.due_at.is_not(None), "queued"),
    (OUTBOX.c.outcome == EXPIRED, EXPIRED),
    else_="failed",
)
# Inline: nobody asks for the id that the database gives, so it is not fetched.
INSERT = insert(OUTBOX).inline()
TAIL = (
    select(
        *(OUTBOX.c[name] for name in ("id", "kind", "recipient", "attempts", "outcome")),
        OUTBOX.c.created_at.label("created"),
        OUTBOX.c.due_at.label("due"),
        STATE.label("state"),
    )
    .order_by(OUTBOX.c.id.desc())
    .limit(bindparam("limit"))
)


class Outbox:
    """Queues mails, and opens what it sealed."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def put(
        self,
        session: Session,
        kind: str,
        recipients: Iterable[str],
        facts: Mapping[str, Any],
        *,
        now: int,
        expires_at: int | None = None,
    ) -> None:
        """Queue one mail of this kind for each recipient, due now. Nothing when there are none.

        The facts are those of the kind's template, of types that JSON has. After `expires_at`
        (epoch seconds) the mail is not sent any more; None means that it never expires.
        """
        plain = json.dumps(facts)
        rows = [
            {
                "kind": kind,
                "recipient": recipient,
                "sealed": self._keys.seal(PURPOSE, _context(kind, recipient), plain),
                "created_at": now,
                "due_at": now,
                "expires_at": expires_at,
                "attempts": 0,
            }
            for recipient in recipients
        ]
        if rows:
            run(session, INSERT, rows)

    def open(self, kind: str, recipient: str, sealed: str) -> dict[str, Any]:
        """The facts that were put in. Raises UnknownKey unless kind and recipient are theirs."""
        facts = json.loads(self._keys.open(PURPOSE, _context(kind, recipient), sealed))
        return dict(facts)


def tail(session: Session, limit: int) -> list[dict[str, Any]]:
    """The newest `limit` mails, newest last: ISO times, state and outcome, never the facts.

    A state is queued, leased (being sent), delivered, expired or failed (given up). `due` is
    None for mails that are done with, `outcome` for those not tried yet.
    """
    rows = session.execute(TAIL, {"limit": limit}).all()
    return [_shown(row) for row in reversed(rows)]


def _shown(row: Row[Any]) -> dict[str, Any]:
    due = None if row.due is None else iso(row.due)
    return {**row._mapping, "created": iso(row.created), "due": due}


def _context(kind: str, recipient: str) -> str:
    # A kind never holds a newline, so the two can not run into each other.
    return f"{kind}\n{recipient}"

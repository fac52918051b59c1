"""The outbox: mails queued in the transaction of what they tell of, their facts encrypted.

Putting a mail in renders nothing; that is for delivery, so that a reset pays for one encryption and
one row for each recipient.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Executable, Row, bindparam, case, insert, select
from sqlalchemy.orm import Session

from e2ereset.crypto import KeyRing
from e2ereset.records import iso
from e2ereset.store.retained import Encrypted
from e2ereset.store.tables import table
from e2ereset.store.transactions import Inserts, PerDialect, run

from .models import OutboxMail

PURPOSE = "outbox"
CODES, NOTICES, CHORES = range(3)
"""Urgencies: somebody waits for it, it tells of something that happened, it is no mail."""
DELIVERED, EXPIRED = "delivered", "expired"

OUTBOX = table(OutboxMail)
ENCRYPTED = Encrypted(OUTBOX.c.sealed, PURPOSE, lambda row: _context(row.kind, row.recipient))
STATE = case(
    (OUTBOX.c.delivered_at.is_not(None), DELIVERED),
    (OUTBOX.c.lease.is_not(None), "leased"),
    (OUTBOX.c.due_at.is_not(None), "queued"),
    (OUTBOX.c.outcome == EXPIRED, EXPIRED),
    else_="failed",
)
# Inline: nobody asks for the id that the database gives, so it is not fetched.
INSERT = insert(OUTBOX).inline()


@PerDialect
def INSERT_ONCE(insert: Inserts) -> Executable:
    """Queue it, or let the row of the same `once` wait for as long.

    Both write: a cheaper answer would tell how long the work for that name takes.
    """
    statement = insert(OUTBOX).inline()
    waits = {"expires_at": statement.excluded.expires_at}
    return statement.on_conflict_do_update(index_elements=[OUTBOX.c.once], set_=waits)


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
    """Queues mails, and decrypts their facts."""

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
        (epoch seconds) the mail is not sent any more; None means that it never expires. What
        expires is delivered before what does not.
        """
        plain = json.dumps(facts)
        urgency = NOTICES if expires_at is None else CODES
        rows = [
            self._row(kind, recipient, plain, now) | {"expires_at": expires_at, "urgency": urgency}
            for recipient in recipients
        ]
        if rows:
            run(session, INSERT, rows)

    def put_chore(
        self,
        session: Session,
        kind: str,
        facts: Mapping[str, Any],
        *,
        once: str,
        now: int,
        expires_at: int,
        urgency: int = CHORES,
    ) -> None:
        """Queue work that is no mail, after all mails; nothing where it waits already.

        Of one kind and `once` there is one row at most, which is gone when the work is done. With
        another `urgency` it counts among the mails of that one.
        """
        row = self._row(kind, "", json.dumps(facts), now)
        row |= {"expires_at": expires_at, "urgency": urgency}
        row["once"] = self._keys.digest("outbox once", kind, once)
        INSERT_ONCE(session, row)

    def _row(self, kind: str, recipient: str, plain: str, now: int) -> dict[str, Any]:
        return {
            "kind": kind,
            "recipient": recipient,
            "sealed": self._keys.encrypt(PURPOSE, _context(kind, recipient), plain),
            "created_at": now,
            "due_at": now,
            "attempts": 0,
        }

    def open(self, kind: str, recipient: str, sealed: str) -> dict[str, Any]:
        """The facts that were put in. Raises UnknownKey unless kind and recipient are theirs."""
        facts = json.loads(self._keys.decrypt(PURPOSE, _context(kind, recipient), sealed))
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

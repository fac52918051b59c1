"""Delivery: due mails are leased, sent outside any transaction, and closed or put off.

The lease is one conditional UPDATE that also moves `due_at`. So of two deliverers one gets the
mail, and a mail whose deliverer was killed is due again when the lease runs out. A deliverer that
dies between sending and writing that down sends once more, with the same Message-ID.

A row of a kind in `chores` is no mail but work that was put off until after an answer: it is done
and its row dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from email.utils import parseaddr
from hashlib import sha256
from threading import Event
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Delete,
    FromClause,
    Update,
    and_,
    bindparam,
    case,
    delete,
    select,
    update,
)

from e2ereset.crypto import KeyRing
from e2ereset.mail.messages import Message, Undeliverable, name_domain, render
from e2ereset.store.tables import table
from e2ereset.store.transactions import Transactions, run

from .models import OutboxMail
from .queue import CODES, DELIVERED, EXPIRED, Outbox

# Longer than one send can take (MOST_SECONDS in smtp.py), so that a second deliverer never takes
# over a mail that is under way.
LEASE_SECONDS = 120
FIRST_PAUSE = 5
LONGEST_PAUSE = 15 * 60
GIVE_UP_SECONDS = 7 * 24 * 3600
TOKEN_BYTES = 16
ID_LENGTH = 32
LONGEST_OUTCOME = 255

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A mail that is ours to send until the lease runs out. Times in epoch seconds."""

    id: int
    kind: str
    recipient: str
    sealed: str = field(repr=False)
    created_at: int
    expires_at: int | None
    attempts: int
    lease: str


OUTBOX = table(OutboxMail)
WAITING = OUTBOX.alias()
ANY_DUE = select(OUTBOX.c.id).where(OUTBOX.c.due_at <= bindparam("due_by")).limit(1)


def _due(rows: FromClause) -> ColumnElement[bool]:
    # Somebody waits for a code: it is taken although it was queued while others were delivered.
    now, due_by = (bindparam(name, type_=BigInteger) for name in ("now", "due_by"))
    by = case((rows.c.urgency == CODES, now), else_=due_by)
    # Said twice, as SQLite uses the index only where it sees that this is no NULL.
    return and_(rows.c.due_at.is_not(None), rows.c.due_at <= by)


# SKIP LOCKED, where the database has it, lets a second deliverer take the next mail at once.
NEXT = (
    select(WAITING.c.id)
    .where(_due(WAITING))
    .order_by(WAITING.c.urgency, WAITING.c.due_at, WAITING.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
LEASE = (
    update(OUTBOX)
    .where(OUTBOX.c.id == NEXT.scalar_subquery(), _due(OUTBOX))
    .values(
        due_at=bindparam("until"),
        lease=bindparam("token"),
        attempts=OUTBOX.c.attempts + 1,
    )
    .returning(*(OUTBOX.c[column.name] for column in fields(Leased)))
)
RELEASE = (
    update(OUTBOX)
    .where(OUTBOX.c.id == bindparam("mail"), OUTBOX.c.lease == bindparam("token"))
    .values(lease=None, outcome=bindparam("why"))
)
PUT_OFF = RELEASE.values(due_at=bindparam("again_at"))
DROP = delete(OUTBOX).where(OUTBOX.c.id == bindparam("mail"), OUTBOX.c.lease == bindparam("token"))
CLOSE = RELEASE.values(sealed=None, due_at=None, delivered_at=bindparam("sent_at"))


class Entropy(Protocol):
    """The randomness used here: the `secrets` module has this shape."""

    def token_hex(self, nbytes: int, /) -> str:
        """Random bytes, as twice as many hex digits."""


class Deliverer:
    """Sends what is due in the outbox. Any number of them may run, in threads and processes."""

    def __init__(
        self,
        transactions: Transactions,
        keys: KeyRing,
        *,
        clock: Callable[[], float],
        entropy: Entropy,
        send: Callable[[Message], None],
        sender: str,
        workspace: str,
        chores: Mapping[str, Callable[[Mapping[str, Any], int], object]] | None = None,
    ) -> None:
        self._transactions = transactions
        self._keys = keys
        self._outbox = Outbox(keys)
        self._clock = clock
        self._entropy = entropy
        self.send = send
        self._sender = sender
        self._domain = name_domain(parseaddr(sender)[1]).rpartition("@")[2] or "localhost"
        self._workspace = workspace
        self._chores = chores or {}
        self.ending = Event()

    def deliver_due(self) -> int:
        """Send the mails that are due by now, one after another; the number of those delivered.

        Codes first, then notices, then what is no mail. A mail that fails is put off, and the next
        one has its turn. One that becomes due meanwhile is left to the next call, unless it is
        a code, so that an outage never keeps a call from ending. Once `ending` is set, the mail in
        hand is the last.
        """
        due_by = self._now()
        with self._transactions.read() as session:
            # A look that writes nothing: an idle deliverer must not take SQLite's write lock.
            if session.scalar(ANY_DUE, {"due_by": due_by}) is None:
                return 0
        delivered = 0
        while not self.ending.is_set() and (mail := self._lease(due_by)):
            delivered += self._deliver(mail)
        return delivered

    def _lease(self, due_by: int) -> Leased | None:
        token = self._entropy.token_hex(TOKEN_BYTES)
        now = self._now()
        times = {"due_by": due_by, "now": now, "until": now + LEASE_SECONDS}
        with self._transactions.begin() as session:
            leased = run(session, LEASE, {**times, "token": token})
            row = leased.one_or_none()
        return None if row is None else Leased(**row._asdict())

    def _deliver(self, mail: Leased) -> bool:
        now = self._now()
        if mail.expires_at is not None and mail.expires_at <= now:
            self._close(mail, EXPIRED)
            return False
        try:
            chore = self._chores.get(mail.kind)
            if chore:
                chore(self._facts(mail), now)
            else:
                self.send(self._message(mail, now))
        except Undeliverable as fault:
            log.warning("Mail %d (%s) cannot be delivered: %s", mail.id, mail.kind, fault)
            self._close(mail, f"undeliverable: {fault}"[:LONGEST_OUTCOME])
            return False
        except Exception as fault:
            self._fail(mail, type(fault).__name__)
            return False
        self._close(mail, DELIVERED, sent_at=self._now())
        return chore is None

    def _facts(self, mail: Leased) -> dict[str, Any]:
        return self._outbox.open(mail.kind, mail.recipient, mail.sealed)

    def _message(self, mail: Leased, now: int) -> Message:
        facts = self._facts(mail)
        subject, text, html = render(mail.kind, facts, now=now, workspace=self._workspace)
        # Of no secret key: a mail that is sent again after a change of keys is still the same.
        digest = sha256(f"{mail.id} {mail.created_at} {mail.recipient}".encode()).hexdigest()
        return Message(
            sender=self._sender,
            recipient=mail.recipient,
            subject=subject,
            text=text,
            html=html,
            message_id=f"<{digest[:ID_LENGTH]}@{self._domain}>",
        )

    def _fail(self, mail: Leased, why: str) -> None:
        # The name of the exception only: its text may quote the mail or its recipient.
        log.warning("Mail %d (%s) was not delivered: %s", mail.id, mail.kind, why)
        now = self._now()
        if now - mail.created_at >= GIVE_UP_SECONDS:
            self._close(mail, f"gave up: {why}")
            return
        again_at = now + min(FIRST_PAUSE * 2 ** (mail.attempts - 1), LONGEST_PAUSE)
        if mail.expires_at is not None:
            # Not a moment longer than it is of use does its body stay in the database.
            again_at = min(again_at, mail.expires_at)
        self._end(mail, PUT_OFF, why, again_at=again_at)

    def _close(self, mail: Leased, why: str, *, sent_at: int | None = None) -> None:
        self._end(mail, DROP if mail.kind in self._chores else CLOSE, why, sent_at=sent_at)

    def _end(
        self, mail: Leased, statement: Update | Delete, why: str, **values: int | None
    ) -> None:
        with self._transactions.begin() as session:
            run(session, statement, {"mail": mail.id, "token": mail.lease, "why": why, **values})

    def _now(self) -> int:
        return int(self._clock())

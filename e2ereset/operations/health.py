"""Whether this process can do its work: what is looked at, and in which words it is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select, text

from e2ereset.audit.models import AuditRow
from e2ereset.background import Background
from e2ereset.jobs.queue import IDLE, JOBS
from e2ereset.metrics.meter import Gauges
from e2ereset.store.tables import table
from e2ereset.store.transactions import Transactions, time_of

from .probe import Probe

MOST_SKEW = 10  # seconds; a third of a TOTP step
MAIL_LATE = 600  # seconds; a mailed code is worth nothing any more

AUDIT = table(AuditRow)
# By the time a mail is due, not by its age: one that a relay keeps refusing is put off, and must
# not take every server out of service for days.
# Work without a mail does not count either: anybody makes such rows, and nobody waits for them.
MAILS = and_(JOBS.c.due_at.is_not(None), JOBS.c.urgency < IDLE)
OLDEST_DUE = select(func.min(JOBS.c.due_at)).where(MAILS)
QUEUED = select(func.count(), func.min(JOBS.c.created_at)).where(MAILS)
UNSEALED = select(func.count()).select_from(AUDIT).where(AUDIT.c.position.is_(None))

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: never a secret, a host name or SQL in its sentence."""

    name: str
    ok: bool
    message: str


Look = Callable[[Connection], Check]
"""One question to the database."""


class Health:
    """The checks of one app. `threads` are those that have to live in this process."""

    def __init__(
        self,
        transactions: Transactions,
        *,
        clock: Callable[[], float],
        threads: Iterable[Background] = (),
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._threads = tuple(threads)
        self._looks: list[tuple[str, Look]] = [("clock", self._time), ("mail", self._mail)]
        self._checks = Probe(self._look)
        self._numbers = Probe(self._measure)

    def add(self, name: str, look: Look) -> None:
        """Have one more question asked."""
        self._looks.append((name, look))

    def checks(self) -> list[Check]:
        """All checks, within seconds whatever hangs."""
        try:
            found = self._checks.result()
        except (TimeoutError, RuntimeError):
            found = [Check("database", False, "The database does not answer in time.")]
        return [*found, self._alive()]

    def gauges(self) -> Gauges:
        """What the queues hold, and whether the database could be asked."""
        try:
            numbers, up = self._numbers.result(), True
        except Exception as fault:
            log.warning("The queues could not be measured: %s", type(fault).__name__)
            numbers, up = [], False
        return [*numbers, ("e2ereset_database_up", "Whether the database answers.", up)]

    def _look(self) -> list[Check]:
        reached = self._ask("database", lambda _: Check("database", True, "It answers."))
        return [reached, *(self._ask(*look) for look in self._looks if reached.ok)]

    def _ask(self, name: str, look: Look) -> Check:
        # A connection each: on PostgreSQL a failed question spoils those that follow it.
        try:
            with self._transactions.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                return look(connection)
        except Exception as fault:
            log.warning("The check %s failed: %s", name, type(fault).__name__)
            return Check(name, False, "The database does not answer this.")

    def _time(self, connection: Connection) -> Check:
        skew = abs(time_of(connection) - self._clock())
        words = f"The clocks of this machine and the database are {skew:.0f} s apart."
        return Check("clock", skew <= MOST_SKEW, words)

    def _mail(self, connection: Connection) -> Check:
        due = connection.scalar(OLDEST_DUE)
        late = 0 if due is None else max(0, int(self._clock()) - due)
        return Check("mail", late <= MAIL_LATE, f"The mail next in turn is {late} s late.")

    def _alive(self) -> Check:
        alive = all(thread.running for thread in self._threads)
        words = "They run." if alive else "A thread for mail or sealing has ended in this process."
        return Check("threads", alive, words if self._threads else "None belong to this process.")

    def _measure(self) -> list[tuple[str, str, float]]:
        with self._transactions.engine.connect() as connection:
            mails, oldest = connection.execute(QUEUED).one()
            unsealed = connection.scalar(UNSEALED)
        age = 0 if oldest is None else max(0, int(self._clock()) - oldest)
        return [
            ("e2ereset_outbox_mails", "Mails that are not done with.", mails),
            ("e2ereset_outbox_oldest_seconds", "Age of the oldest of them.", age),
            ("e2ereset_audit_unsealed_rows", "Audit rows without a place yet.", unsealed or 0),
        ]

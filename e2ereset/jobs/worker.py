"""The worker: leases jobs, has their handlers do them outside any transaction, and closes them.

A worker that dies after the work, before it has closed the job, leaves it to be done once more: a
handler must allow for that.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from threading import Event
from typing import Any

from e2ereset.errors import E2EResetError
from e2ereset.store.transactions import Transactions

from .leases import GIVE_UP, PUT_OFF, Leased, any_due, close, end, lease
from .queue import DELIVERED, EXPIRED, GIVE_UP_SECONDS, Queue

FIRST_PAUSE = 5
LONGEST_PAUSE = 15 * 60
TOKEN_BYTES = 16
LONGEST_OUTCOME = 255

Handler = Callable[[Mapping[str, Any], Leased, int], object]
"""Does one job: gets its facts, its row, and the time in epoch seconds. It raises when it fails."""

log = logging.getLogger(__name__)


class GiveUp(E2EResetError):
    """Raise it in a handler where no later try would help; the text says why, without any fact."""


class NoHandler(E2EResetError):
    """This version has no handler for the kind; a newer one may have."""


@dataclass(repr=False, eq=False)
class Worker:
    """Does the jobs that are due. Any number of them may run, in threads and processes.

    `handlers` by kind; `clock` gives epoch seconds, `entropy` is shaped like `secrets`. Set
    `ending` to have the job in hand be the last.
    """

    transactions: Transactions
    queue: Queue
    handlers: Mapping[str, Handler]
    _: KW_ONLY
    clock: Callable[[], float]
    entropy: Any
    ending: Event = field(default_factory=Event)

    def run_due(self) -> int:
        """Do the jobs that are due by now, one after another; how many were done for a recipient.

        The most urgent come first. A job that fails is put off, and the next one has its turn. One
        that becomes due meanwhile is left to the next call, unless it is urgent, so that an outage
        never keeps a call from ending. Once `ending` is set, the job in hand is the last.
        """
        due_by, done = self._now(), 0
        if not any_due(self.transactions, due_by):
            return 0
        while not self.ending.is_set() and (job := self._lease(due_by)):
            done += self._do(job)
        return done

    def _lease(self, due_by: int) -> Leased | None:
        token = self.entropy.token_hex(TOKEN_BYTES)
        return lease(self.transactions, token, now=self._now(), due_by=due_by)

    def _do(self, job: Leased) -> bool:
        """Whether it was done, and for a recipient."""
        now = self._now()
        if job.expires_at is not None and job.expires_at <= now:
            close(self.transactions, job, EXPIRED)
            return False
        try:
            if job.kind not in self.handlers:
                raise NoHandler
            self.handlers[job.kind](self.queue.facts(job), job, now)
        except GiveUp as fault:
            self._give_up(job, str(fault))
            return False
        except Exception as fault:
            # The name of the exception only: its text may quote the facts or the recipient.
            self._fail(job, type(fault).__name__)
            return False
        close(self.transactions, job, DELIVERED, done_at=self._now())
        return job.recipient != ""

    def _fail(self, job: Leased, why: str) -> None:
        now = self._now()
        # `give_up_at` is empty in jobs that the version before has put in.
        if now >= (job.give_up_at or job.created_at + GIVE_UP_SECONDS):
            self._give_up(job, f"gave up: {why}")
            return
        words = "%s failed and is tried again: %s. `e2ereset doctor` says more"
        log.warning(words, _named(job), why)
        again_at = now + min(FIRST_PAUSE * 2 ** (job.attempts - 1), LONGEST_PAUSE)
        if job.expires_at is not None:
            # Its facts leave the database when it expires.
            again_at = min(again_at, job.expires_at)
        end(self.transactions, PUT_OFF, job, why=why, again_at=again_at)

    def _give_up(self, job: Leased, why: str) -> None:
        log.warning("%s is given up: %s", _named(job), why)
        end(self.transactions, GIVE_UP, job, why=why[:LONGEST_OUTCOME], now=self._now())

    def _now(self) -> int:
        return int(self.clock())


def _named(job: Leased) -> str:
    """A mail or another job as the log has it."""
    return f"{'Mail' if job.recipient else 'Job'} {job.id} ({job.kind})"

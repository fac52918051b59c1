"""A queue of jobs in a real database, with a clock and workers."""

import secrets

import pytest
from sqlalchemy import select

from e2ereset.crypto import KeyRing
from e2ereset.jobs import Queue, Worker
from e2ereset.jobs.listing import tail
from e2ereset.jobs.queue import JOBS
from e2ereset.store.transactions import Transactions
from e2ereset.testing import FakeClock

KEYS = KeyRing(["a secret key of the tests"])
START = 1_767_225_600  # 2026-01-01 00:00:00 UTC
# The facts of a mail with a code.
CODE = {
    "username": "bob",
    "phrase": "reset the E2E key of bob",
    "action": "reset-e2e-key",
    "signs_out": True,
    "code": "123-456",
    "expires_at": START + 600,
    "address": "192.0.2.7",
    "agent": "Curl/8.1",
}


class Desk:
    """A queue, its clock, and workers for it."""

    def __init__(self, connect):
        self._connect = connect
        self.clock = FakeClock(START)
        self.store = self.connect()
        self.queue = Queue(KEYS)

    def connect(self):
        engine = self._connect()
        return Transactions(lambda: engine)

    def worker(self, **handlers):
        """A worker with connections of its own."""
        parts = {"clock": self.clock, "entropy": secrets}
        return Worker(self.connect(), self.queue, handlers, **parts)

    def put(self, kind, *recipients, facts=(), **options):
        """Queue a job for each recipient, or one for nobody."""
        if recipients:
            options["recipients"] = recipients
        with self.store.begin() as session:
            self.queue.put(session, kind, dict(facts), now=self.clock.now, **options)

    def rows(self):
        with self.store.read() as session:
            return session.execute(select(JOBS).order_by(JOBS.c.id)).all()

    def change(self, **columns):
        """Change all rows."""
        with self.store.begin() as session:
            session.execute(JOBS.update().values(**columns))

    def listed(self, limit=100, how=tail):
        with self.store.read() as session:
            return how(session, limit)

    def states(self):
        return [job["state"] for job in self.listed()]


@pytest.fixture
def desk(connect):
    return Desk(connect)

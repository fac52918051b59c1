"""Clients that reset keys while something goes wrong, and workers that die under them."""

import queue
import time
from contextlib import contextmanager
from http.client import HTTPException
from threading import Event, Thread

from tests.kit.program import kill

CLIENTS = 8
LONGEST = 90.0  # seconds that a load may take
PAUSE = 0.3  # seconds from one kill to the next


class Load:
    """Clients that reset the keys of these users, once each; what became of each request.

    A client that is told 503 comes again, as it is told to, with a code of its own.
    """

    def __init__(self, live, users):
        self._live, self._left = live, queue.SimpleQueue()
        self.succeeded, self.broken, self.refused, self.unavailable = [], [], [], []
        for user in users:
            self._left.put(user)
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]

    def start(self):
        for thread in self._threads:
            thread.start()

    def join(self):
        """Wait until every client has got what it came for."""
        deadline = time.monotonic() + LONGEST
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"{len(self.unavailable)} times 503, and no end"

    @property
    def done(self):
        return len(self.succeeded) + len(self.broken) + len(self.refused)

    def _run(self):
        while True:
            try:
                user = self._left.get_nowait()
            except queue.Empty:
                return
            self._reset(user)

    def _reset(self, user):
        try:
            answer = self._live.reset(user, code=user.totp.now(), method="totp")
        except ConnectionRefusedError:
            # Nobody listened: the request never came in, and its client comes again.
            self._come_again(user)
        except (OSError, HTTPException):
            self.broken.append(user)
        else:
            self._note(user, answer)

    def _note(self, user, answer):
        if answer.status == 503:
            self.unavailable.append((user, answer))
            self._come_again(user)
        else:
            (self.succeeded if answer.status == 200 else self.refused).append((user, answer))

    def _come_again(self, user):
        time.sleep(0.05)
        self._left.put(user)


@contextmanager
def dying_workers(live):
    """Kill one worker after another while the block runs; the list of the dead."""
    dead = []

    def strike():
        for worker in live.workers()[:1]:
            kill(worker)
            dead.append(worker)

    with meanwhile(strike, PAUSE):
        yield dead


@contextmanager
def meanwhile(work, pause):
    """Do this again and again while the block runs, with such a pause (seconds) before each."""
    over = Event()

    def run():
        while not over.wait(pause):
            work()

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

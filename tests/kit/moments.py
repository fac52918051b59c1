"""The moments of a request: each statement that it sends, and each commit."""

import os
from contextlib import contextmanager

from sqlalchemy import event

KILLED = 70  # how a process ends that was killed at its moment


class Moments:
    """Counts the moments of an engine; at number `fatal`, the fault happens."""

    def __init__(self, engine, fatal, fault):
        self._engine, self._fatal, self._fault = engine, fatal, fault
        self.passed = 0

    def _pass(self, connection, *_details):
        self.passed += 1
        if self.passed == self._fatal:
            self._fault(connection)

    @contextmanager
    def counted(self):
        hooks = ("before_cursor_execute", "commit")
        for name in hooks:
            event.listen(self._engine, name, self._pass)
        try:
            yield self
        finally:
            for name in hooks:
                event.remove(self._engine, name, self._pass)


def die(_connection):
    """End as by SIGKILL: nothing is rolled back, flushed or closed by us."""
    os._exit(KILLED)


def cut(connection):
    """Close the connection under the statement."""
    connection.connection.driver_connection.close()


def killed_at(engine, fatal, request):
    """Make the request in a child that is killed at that moment; whether it came so far.

    The engine must have no connection: one must not be shared with a child.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with Moments(engine, fatal, die).counted():
                status = request().status_code // 100
        finally:
            os._exit(status)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (KILLED, 2), f"the child ended with {ended}"
    return ended == KILLED


def cut_at(engine, fatal, request):
    """Make the request, whose connection is cut at that moment; whether it came so far."""
    with Moments(engine, fatal, cut).counted() as moments:
        answer = request()
    was_cut = moments.passed >= fatal
    assert answer.status_code == (503 if was_cut else 200), answer.json
    return was_cut

"""Programs that tests and benchmarks start, and end by their ids."""

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.kit.network import PATIENCE, wait_for


class Program:
    """A command that runs until it is stopped, again and again; what it says goes into a log.

    `ready` says whether it serves. It has a session of its own: Ctrl-C is for us, who end it.
    """

    def __init__(self, command, log, *, ready=lambda: True, **options):
        self.command, self.log, self.ready, self.options = command, Path(log), ready, options
        self.process = None

    def start(self):
        """Run it, and wait until it serves."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, start_new_session=True, **self.options
            )
        wait_for(self.serves, f"{Path(self.command[0]).name} to serve, see {self.log}")

    def serves(self):
        assert self.process.poll() is None, self.log.read_text()
        return self.ready()

    def children(self):
        """The ids of the processes that it has started."""
        pid = self.process.pid if self.process else 0
        with suppress(OSError):
            return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def stop(self, how=signal.SIGTERM):
        """End it, and wait for that."""
        if self.process is None:
            return
        process, self.process = self.process, None
        for _ in range(3):  # gunicorn loses a signal that comes while it forks a worker
            process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
                return
        process.kill()
        raise AssertionError(f"{self.command[0]} did not end, see {self.log}")

    def kill(self):
        """SIGKILL it and its children, itself first, so that it replaces none of them."""
        orphans = self.children()
        self.stop(signal.SIGKILL)
        for pid in orphans:
            kill(pid)
        wait_for(lambda: not any(map(is_alive, orphans)), "the end of its children")

    @contextmanager
    def frozen(self):
        """It takes connections and never answers."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def running(self):
        """It runs until the end of the block."""
        try:
            self.start()
            yield self
        finally:
            self.stop()


def kill(pid):
    """SIGKILL one process; it may have ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def is_alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False

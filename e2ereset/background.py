"""A thread that repeats a small piece of work while the process serves requests."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

LONGEST_PAUSE = 30.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class PerProcess:
    """The state of a Background in one process: none of it survives a fork."""

    lock: Lock = field(default_factory=Lock)
    woken: Event = field(default_factory=Event)
    ended: Event = field(default_factory=Event)
    thread: Thread | None = None


class Background:
    """Runs `tick` every `interval` seconds in a daemon thread, and at once after `wake`.

    A tick that raises is logged and tried again, after a pause that grows to LONGEST_PAUSE
    seconds; waking does not shorten that pause.
    """

    def __init__(self, tick: Callable[[], object], *, interval: float = 1.0) -> None:
        self._tick = tick
        self._interval = interval
        self._by_pid: dict[int, PerProcess] = {}

    @property
    def running(self) -> bool:
        """Whether the thread runs in this process."""
        thread = self._mine().thread
        return thread is not None and thread.is_alive()

    def start(self) -> None:
        """Start the thread, unless it already runs in this process. It ticks at once.

        A forked worker has to call this again: a fork does not copy threads.
        """
        if self._mine().ended.is_set():
            self._by_pid[os.getpid()] = PerProcess()
        self.ensure_running()

    def ensure_running(self) -> None:
        """Like `start`, but after `end` or `stop` in this process it does nothing."""
        mine = self._mine()
        with mine.lock:
            if not (self.running or mine.ended.is_set()):
                mine.thread = Thread(
                    target=self._run, args=(mine,), name="e2ereset-background", daemon=True
                )
                mine.thread.start()

    def wake(self) -> None:
        """Tick at once, or once more if a tick is running now. Many calls count as one."""
        self._mine().woken.set()

    def end(self) -> None:
        """Ask the thread to end after the running tick; do not wait."""
        mine = self._mine()
        mine.ended.set()
        mine.woken.set()

    def stop(self, timeout: float | None = None) -> None:
        """End the thread after the running tick; wait at most `timeout` seconds."""
        self.end()
        thread = self._mine().thread
        if thread is not None:
            thread.join(timeout)

    def _mine(self) -> PerProcess:
        # No lock here, as a fork may copy it locked. `setdefault` is atomic: two threads that come
        # first after a fork get the same object.
        pid = os.getpid()
        return self._by_pid.get(pid) or self._by_pid.setdefault(pid, PerProcess())

    def _run(self, mine: PerProcess) -> None:
        pause = self._interval
        while True:
            mine.woken.clear()  # before `ended` is read: so the wake of `end` cannot get lost
            if mine.ended.is_set():
                return
            try:
                self._tick()
            except Exception as fault:
                pause = min(2 * pause, LONGEST_PAUSE)
                # Only the exception's name: its text may quote a secret.
                name = type(fault).__name__
                log.error("Background work failed, again in %g s: %s", pause, name)
                mine.ended.wait(pause)
            else:
                pause = self._interval
                mine.woken.wait(pause)

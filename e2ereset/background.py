"""A thread that does a small piece of work again and again, beside the worker's requests."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

LONGEST_PAUSE = 30.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Here:
    """What one process has of a Background: none of it survives a fork."""

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
        self._by_pid: dict[int, Here] = {}

    @property
    def running(self) -> bool:
        """Whether the thread lives in this process."""
        thread = self._here().thread
        return thread is not None and thread.is_alive()

    def start(self) -> None:
        """Start the thread, unless it runs in this process already. The first tick is at once.

        A forked worker has to start its own: threads stay behind in a fork.
        """
        if self._here().ended.is_set():
            self._by_pid[os.getpid()] = Here()
        self.keep()

    def keep(self) -> None:
        """As `start`, but one that was told to end in this process stays ended."""
        here = self._here()
        with here.lock:
            if not (self.running or here.ended.is_set()):
                here.thread = Thread(
                    target=self._run, args=(here,), name="e2ereset-background", daemon=True
                )
                here.thread.start()

    def wake(self) -> None:
        """Tick at once, or once more when a tick is under way; many calls count as one."""
        self._here().woken.set()

    def end(self) -> None:
        """Ask it to end after the tick under way, and do not wait."""
        here = self._here()
        here.ended.set()
        here.woken.set()

    def stop(self, timeout: float | None = None) -> None:
        """Let the tick under way finish, then end; wait `timeout` seconds for it at most."""
        self.end()
        thread = self._here().thread
        if thread is not None:
            thread.join(timeout)

    def _here(self) -> Here:
        # A lock would be no good here, as a fork may copy it locked: setdefault is atomic, so of
        # two threads that come first after a fork both get the same.
        pid = os.getpid()
        return self._by_pid.get(pid) or self._by_pid.setdefault(pid, Here())

    def _run(self, here: Here) -> None:
        pause = self._interval
        while True:
            here.woken.clear()  # before the look at `ended`, whose wake must not get lost
            if here.ended.is_set():
                return
            try:
                self._tick()
            except Exception as fault:
                pause = min(2 * pause, LONGEST_PAUSE)
                # The name of the exception only: its text may quote what must not be logged.
                name = type(fault).__name__
                log.error("Background work failed, again in %g s: %s", pause, name)
                here.ended.wait(pause)
            else:
                pause = self._interval
                here.woken.wait(pause)

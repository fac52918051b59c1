"""Asks something that may hang, without hanging whoever wants to know."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Probe(Generic[T]):
    """Runs `look` in a thread of its own, one at a time however many ask.

    So the time-out of `seconds` needs no help of the driver, the pool or the host.
    """

    def __init__(self, look: Callable[[], T], *, seconds: float = 2.0) -> None:
        self._look = look
        self._seconds = seconds
        self._lock = Lock()
        self._latest: Future[T] | None = None

    def result(self) -> T:
        """What the look returns. Raises TimeoutError when it takes longer, RuntimeError when no
        thread can be started, and whatever the look raises."""
        with self._lock:
            future = self._latest
            if future is None or future.done():
                future = Future()
                Thread(target=self._run, args=(future,), name="e2ereset-probe", daemon=True).start()
                self._latest = future  # now that there is somebody to finish it
        return future.result(self._seconds)

    def _run(self, future: Future[T]) -> None:
        try:
            future.set_result(self._look())
        except BaseException as fault:
            future.set_exception(fault)

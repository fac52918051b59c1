"""The background thread: ticks, wakes, failures, stops and forks."""

import subprocess
import sys
from logging.handlers import QueueHandler
from queue import SimpleQueue
from threading import Event, Semaphore

import pytest

from e2ereset import get_e2ereset
from e2ereset.background import Background, log

LONG = 60.0
PATIENCE = 5.0


@pytest.fixture
def run():
    """Start a Background that is stopped when the test ends."""
    started = []

    def start(tick, interval=LONG):
        background = Background(tick, interval=interval)
        started.append(background)
        background.start()
        return background

    yield start
    for background in started:
        background.stop(PATIENCE)
        assert not background.running


@pytest.fixture
def logged():
    """A queue of what the thread logs."""
    handler = QueueHandler(SimpleQueue())
    log.addHandler(handler)
    yield handler.queue
    log.removeHandler(handler)


def test_it_ticks_every_interval(run):
    ticks = Semaphore(0)
    run(ticks.release, interval=0.001)
    assert all(ticks.acquire(timeout=PATIENCE) for _ in range(5))


def test_wake_ticks_before_the_interval_is_over(run):
    ticks = Semaphore(0)
    background = run(ticks.release)
    for _ in range(3):
        assert ticks.acquire(timeout=PATIENCE)
        background.wake()
    assert ticks.acquire(timeout=PATIENCE)


def test_wakes_during_a_tick_make_one_more_tick(run):
    ticks, go_on = Semaphore(0), Semaphore(0)

    def tick():
        ticks.release()
        go_on.acquire(timeout=PATIENCE)

    background = run(tick)
    assert ticks.acquire(timeout=PATIENCE)
    for _ in range(10):
        background.wake()
    go_on.release(20)
    assert ticks.acquire(timeout=PATIENCE)
    assert not ticks.acquire(timeout=0.05)


def test_starting_twice_runs_one_thread(run):
    background = run(lambda: None)
    thread = background._mine().thread
    background.start()
    assert background._mine().thread is thread


def test_pauses_grow_with_each_failure_and_start_anew_after_a_success():
    fails, done, pauses = [True, False, True, True, True], Event(), []

    class NoWait(Event):
        def wait(self, timeout=None):
            pauses.append(timeout)

    def tick():
        background.wake()
        if not fails:
            done.set()
        elif fails.pop():
            raise ValueError

    background = Background(tick, interval=10.0)
    background._mine().ended = NoWait()
    background.start()
    assert done.wait(PATIENCE)
    background.stop(PATIENCE)
    assert pauses == [20.0, 30.0, 30.0, 20.0]


def test_a_failure_is_logged_by_name_without_its_text(run, logged):
    def tick():
        raise ValueError("a secret")

    run(tick)
    line = logged.get(timeout=PATIENCE).getMessage()
    assert line == "Background work failed, again in 30 s: ValueError"


def test_stop_lets_the_tick_under_way_finish(run):
    ticking, stopping, finished = Event(), Event(), []

    def tick():
        ticking.set()
        finished.append(stopping.wait(0.05))

    background = run(tick)
    assert ticking.wait(PATIENCE)
    background.stop(PATIENCE)
    assert finished == [False]
    assert not background.running


def test_it_can_be_started_again_after_a_stop(run):
    ticks = Semaphore(0)
    background = run(ticks.release)
    background.stop(PATIENCE)
    background.start()
    assert background.running
    assert all(ticks.acquire(timeout=PATIENCE) for _ in range(2))


@pytest.mark.parametrize("stopped", [False, True])
def test_a_request_starts_the_threads_unless_they_were_stopped(
    make_server, config, engine, stopped
):
    app = make_server(config | {"E2ERESET_DELIVERY": "thread"})
    runtime = get_e2ereset(app)
    if stopped:
        runtime.stop(PATIENCE)
    app.test_client().get("/api/v1/me")
    assert [thread.running for thread in runtime.background] == [not stopped] * 2
    runtime.start()
    assert all(thread.running for thread in runtime.background)
    runtime.stop(PATIENCE)


def test_one_that_never_started_can_be_woken_and_stopped():
    background = Background(print)
    background.wake()
    background.stop(PATIENCE)
    assert not background.running


FORKS = """
import os, sys, threading, warnings
from e2ereset.background import Background
warnings.simplefilter("ignore")
held, let_go, ticks = threading.Event(), threading.Event(), threading.Semaphore(0)
background = Background(ticks.release, interval=60)
background.start()
assert ticks.acquire(timeout=5)
here = background._mine()
here.lock.acquire()
here.woken._cond.acquire()
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
threading.Timer(5, os._exit, (2,)).start()
assert not background.running
background.start()
assert background.running and ticks.acquire(timeout=5)
background.wake()
assert ticks.acquire(timeout=5)
background.stop(5)
os._exit(0)
"""


@pytest.mark.slow
def test_a_forked_worker_starts_its_own_thread_whatever_was_locked():
    subprocess.run([sys.executable, "-c", FORKS], check=True, timeout=30)

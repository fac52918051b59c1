"""The loop of a worker, by hand: who gets how long, who is refused first, and who is let go."""

import logging
import os
import socket
from contextlib import ExitStack
from selectors import DefaultSelector
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn, ThreadWorker

from e2ereset.server import worker as module
from e2ereset.server.worker import LINGER_SECONDS, WholeRequests

POST = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"


@pytest.fixture
def worker(monkeypatch, clock):
    monkeypatch.setattr(module, "monotonic", clock)
    monkeypatch.setattr(ThreadWorker, "init_process", lambda _worker: None)
    worker = WholeRequests(1, os.getppid(), [], None, 30, Config(), logging.getLogger())
    worker.init_process()
    with DefaultSelector() as worker.poller:
        yield worker
    worker.tmp.close()


@pytest.fixture
def connect(worker):
    """Opens a connection on which these bytes have come; the client's end of it."""
    with ExitStack() as stack:

        def connect(sent):
            client, ours = map(stack.enter_context, socket.socketpair())
            client.settimeout(5)  # a worker that does not answer is a fault
            worker.nr_conns += 1
            worker.enqueue_req(TConn(worker.cfg, ours, ("127.0.0.1", 1), ("127.0.0.1", 2)))
            client.sendall(sent)
            worker.wait_for_and_dispatch_events(0)
            return client

        yield connect


@pytest.fixture
def wait(worker, clock):
    def wait(seconds):
        clock.now += seconds
        worker.murder_pending()

    return wait


def status(client):
    return client.recv(100).split()[1]


def test_a_body_has_more_time_than_a_head(worker, connect, wait):
    head, body = connect(POST[:9]), connect(POST)
    wait(worker.head_seconds + 1)
    assert status(head) == b"408"
    assert len(worker.incoming) == 1
    wait(worker.body_seconds - worker.head_seconds)
    assert status(body) == b"408"


def test_who_was_refused_is_let_go_in_the_end(worker, connect, wait):
    connect(POST)
    wait(worker.body_seconds + 1)
    assert (len(worker.lingering), worker.nr_conns) == (1, 1)
    wait(LINGER_SECONDS + 1)
    assert (len(worker.lingering), worker.nr_conns) == (0, 0)


def test_where_all_are_too_much_the_longest_is_refused(worker, connect):
    worker.longest_body, worker.most_bytes = 1000, 0
    clients = [connect(POST + b"x" * size) for size in (1, 900, 990, 900, 900, 900)]
    assert status(clients[2]) == b"503"
    assert len(worker.incoming) == 5
    assert worker.held == sum(len(request.data) for request in worker.incoming.values())


@pytest.mark.parametrize("sound", [True, False])
def test_only_a_sound_request_leaves_its_connection_open(worker, monkeypatch, sound):
    monkeypatch.setattr(ThreadWorker, "handle_request", lambda _worker, req, _conn: req.must_close)
    request = SimpleNamespace(must_close=False)
    assert worker.handle_request(request, SimpleNamespace(is_sound=sound)) is not sound


def test_a_worker_that_ends_gives_nobody_more_time(worker, connect, wait, clock):
    body = connect(POST)
    worker._cap_keepalive(clock.now + 1)
    wait(2)
    assert status(body) == b"408"

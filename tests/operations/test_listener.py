"""The address of its own for health and metrics, and the folder that workers count in."""

import http.client
import os
import socket
import stat
from contextlib import closing
from pathlib import Path

import pytest

from e2ereset.metrics import multiprocess
from e2ereset.operations.listener import open_listener, serve
from e2ereset.operations.routes import operations_of

pytestmark = pytest.mark.slow


@pytest.fixture
def listener(app):
    with open_listener("127.0.0.1:0") as listener:
        server = serve(listener, operations_of(app))
        yield listener
        server.shutdown()


@pytest.fixture
def get(listener):
    """GET a path from the listener of the app; the answer and its body."""

    def get(path, method="GET"):
        port = listener.getsockname()[1]
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer, answer.read()

    return get


def test_it_answers_for_its_pages_alone_and_nothing_but_get(get):
    wanted = {"/livez": 200, "/readyz": 503, "/metrics": 404, "/api/v1/me": 404}
    assert {path: get(path)[0].status for path in wanted} == wanted
    assert get("/livez", "POST")[0].status == 501


def test_an_answer_is_as_on_the_app(get):
    answer, body = get("/livez")
    assert body == b'{"alive": true}'
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Server"] == "e2ereset", "which Python runs is nobody's business"


def test_a_client_that_sends_nothing_holds_nobody_else(listener, get):
    with socket.create_connection(listener.getsockname()) as idle:
        assert get("/livez")[0].status == 200
        idle.setblocking(False)
        with pytest.raises(BlockingIOError):  # it is still served
            idle.recv(1)


def test_several_may_answer_on_one_socket(app):
    with open_listener("127.0.0.1:0") as listener:
        servers = [serve(listener, operations_of(app)) for _ in range(3)]
        for _ in range(20):
            with socket.create_connection(listener.getsockname(), timeout=10) as connection:
                connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
                assert connection.recv(15) == b"HTTP/1.0 200 OK"
        for server in servers:
            server.shutdown()


def test_an_address_that_is_taken_is_an_error():
    with open_listener("127.0.0.1:0") as listener, pytest.raises(OSError, match="in use"):
        open_listener(f"127.0.0.1:{listener.getsockname()[1]}")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Claims the folder of counts, as a gunicorn does, in a place of its own."""
    monkeypatch.setattr(multiprocess.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(multiprocess.VARIABLE, "")
    return lambda: Path(multiprocess.claim_folder())


def test_the_folder_is_for_its_owner_alone_and_goes_at_the_end(folder):
    made = folder()
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    multiprocess.drop_folder()
    assert not made.exists()


def test_a_reload_keeps_the_folder(folder):
    assert folder() == folder()


def test_a_gunicorn_that_takes_over_makes_its_own(folder, monkeypatch):
    before = folder()
    monkeypatch.setattr(os, "getpid", lambda: 999_999_999)
    after = folder()
    assert after != before
    multiprocess.drop_folder()
    assert before.exists()


def test_a_folder_that_the_operator_names_is_left_alone(folder, monkeypatch, tmp_path):
    monkeypatch.setenv(multiprocess.VARIABLE, str(tmp_path))
    assert folder() == tmp_path
    multiprocess.drop_folder()
    assert tmp_path.exists()

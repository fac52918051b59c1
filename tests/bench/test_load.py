"""The load counts whole calls with right answers, and hands a token from request to request."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from bench.gunicorn import Server
from bench.load import post, run_wrk
from bench.rows import Calls

pytestmark = pytest.mark.slow
WRONG = "user-3"


class Handler(BaseHTTPRequestHandler):
    """/verify answers a token of its user, which alone opens /reset."""

    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def do_POST(self):
        user = self.headers["User"]
        self.rfile.read(int(self.headers["Content-Length"]))
        opened = self.path == "/verify" or self.headers["Token"] == f"token of {user}"
        self.send_response(200 if opened and user != WRONG else 401)
        body = f'{{"authentication_token": "token of {user}"}}'.encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def port():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def call(user):
    own = {"User": user}
    return post("/verify", own, {"passcode": "123456"}), post("/reset", own | {"Token": "{token}"})


def load(port, tmp_path, calls, wanted=200):
    return run_wrk(port, calls, wanted, seconds=1, folder=tmp_path, connections=2)


def test_each_call_has_the_token_of_its_own_user(port, tmp_path):
    found = load(port, tmp_path, [call(f"user-{n}") for n in (1, 2)])
    assert found.wrong == 0 < found.right


def test_a_call_counts_once_and_only_if_its_last_answer_is_right(port, tmp_path):
    found = load(port, tmp_path, [call("user-1"), call(WRONG)])
    assert found.right > 0 < found.wrong
    assert load(port, tmp_path, [call(WRONG)] * 2).right == 0


def test_calls_of_one_request_are_shared_among_the_connections(port, tmp_path):
    found = load(port, tmp_path, [(post("/verify", {"User": f"user-{n}"}),) for n in range(2)])
    assert found.wrong == 0 < found.right
    assert found.p99 >= found.p50 > 0


def test_a_row_with_nothing_but_wrong_answers_fails(port, tmp_path):
    server = Server(port, workers=(os.getpid(),))
    row = Calls(name="reset", server=server, calls=lambda: [call(WRONG)] * 16, wanted=200)
    with pytest.raises(RuntimeError, match=r"reset: \d+ answers, none of them right"):
        row.run(1, tmp_path)

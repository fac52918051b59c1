"""gunicorn with the `gunicorn.conf.py` as it stands: metrics of all workers, logs, a good end."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kit.client import ME
from tests.kit.live import Live, make_live
from tests.kit.network import free_port, wait_for

pytestmark = pytest.mark.slow

REQUESTS = 40


class Watched(Live):
    """A server with its health and metrics on a port of their own, and JSON lines."""

    def __init__(self, folder, *options):
        super().__init__(folder, *options)
        self.operations, self.temporary = free_port(), folder / "tmp"
        self.temporary.mkdir()
        self.env |= {
            "TMPDIR": str(self.temporary),
            "FLASK_E2ERESET_OPERATIONS_BIND": f"127.0.0.1:{self.operations}",
            "FLASK_E2ERESET_SERVER_LOG_FORMAT": "json",
            "FLASK_E2ERESET_SERVER_BCRYPT_COST": "15",  # a sign-in takes seconds
        }

    def start(self):
        """Serve, once both workers hear signals: gunicorn loses one for a worker just forked."""
        super().start()
        wait_for(lambda: all(map(self.has_threads, self.workers())), "the threads of the workers")

    @staticmethod
    def has_threads(pid):
        return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1

    def get(self, path):
        """The body of an answer of 200; any other raises."""
        with urlopen(f"http://127.0.0.1:{self.operations}{path}", timeout=30) as answer:
            return answer.read().decode()

    def counted(self):
        """How many requests for oneself all workers have counted."""
        families = text_string_to_metric_families(self.get("/metrics"))
        (requests,) = (family for family in families if family.name == "e2ereset_requests")
        mine = [sample for sample in requests.samples if sample.labels["route"] == ME]
        return sum(s.value for s in mine if s.name == "e2ereset_requests_total")

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def busy(self):
        """Whether a worker is at work: it has used more than half a second so far."""
        used = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2] for pid in self.workers()]
        return any(int(text.split()[11]) > os.sysconf("SC_CLK_TCK") / 2 for text in used)


@pytest.fixture
def live(tmp_path):
    with make_live(tmp_path, make=Watched) as live:
        yield live


def test_whichever_worker_is_asked_counts_for_all(live):
    before = live.counted()
    for _ in range(REQUESTS):
        live.call("GET", ME)
    assert len(live.served_by()) == 2
    assert {live.counted() for _ in range(10)} == {before + REQUESTS}


def test_the_counts_of_a_killed_worker_stay(live):
    before, victim = live.counted(), live.workers()[0]
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: victim not in live.workers() and len(live.workers()) == 2, "a new worker")
    assert wait_for(live.counted, "the counts") == before


def test_a_server_in_order_is_ready_on_every_worker(live):
    assert all(json.loads(live.get("/readyz"))["ready"] for _ in range(10))
    assert live.get("/livez") == '{"alive": true}'


def test_all_lines_are_json_those_of_gunicorn_too(live):
    live.call("GET", ME, {"X-Request-Id": "forged"})
    loggers = {line["logger"] for line in live.lines()}
    assert {"gunicorn.error", "e2ereset.server.request_log"} <= loggers
    assert "forged" not in live.log.read_text()


def test_a_request_in_flight_is_answered_after_sigterm(live):
    with ThreadPoolExecutor() as pool:
        body = {"user": "nobody", "password": "pw"}
        answer = pool.submit(live.call, "POST", "/api/v1/login", None, body)
        wait_for(live.busy, "the sign-in to be under way")
        process, live.process = live.process, None
        process.terminate()
        assert answer.result().status == 401
    assert process.wait(30) == 0


def test_nothing_is_left_behind_at_the_end(live):
    assert [path.name[:16] for path in live.temporary.iterdir()] == ["e2ereset-metrics"]
    live.stop()
    assert list(live.temporary.iterdir()) == []


def test_a_reload_keeps_the_pages_and_the_form_of_the_lines(live):
    before = set(live.workers())
    live.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(live.workers()) == 2 and not before & set(live.workers()), "new workers")
    wait_for(lambda: all(map(live.has_threads, live.workers())), "the threads of the workers")
    assert live.get("/livez")
    assert all(line["level"] for line in live.lines())

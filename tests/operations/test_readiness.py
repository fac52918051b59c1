"""/livez and /readyz: what is looked at, and who may ask."""

import hmac
import json
import time
from threading import Event, Thread

import pytest
from sqlalchemy import text

from e2ereset import get_e2ereset
from e2ereset.errors import SettingsError
from e2ereset.jobs.models import Job
from e2ereset.jobs.queue import IDLE
from e2ereset.operations.health import MAIL_LATE, MOST_SKEW, Condition
from e2ereset.operations.probe import Probe
from e2ereset.operations.routes import operations_of
from e2ereset.server.migrations import heads
from tests.kit.world import break_table

TOKEN = "a token for tests only"
GONE = "postgresql+psycopg://127.0.0.1:1/nothing"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def config(config):
    return {**config, "E2ERESET_OPERATIONS_TOKEN": TOKEN}


@pytest.fixture
def session(session):
    session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
    heads_in = text("INSERT INTO alembic_version VALUES (:head)")
    session.execute(heads_in, [{"head": head} for head in heads()])
    session.commit()
    return session


@pytest.fixture
def ask(app, session, clock):
    """Asks for a page with the token; the app's clock is right."""
    clock.now = int(time.time())
    return lambda path="/readyz", headers=BEARER: app.test_client().get(path, headers=headers)


def failing(answer):
    assert (answer.status_code, answer.json["ready"]) == (503, False)
    return {check["name"]: check["message"] for check in answer.json["checks"] if not check["ok"]}


def queue(session, due_at, **facts):
    usual = {"kind": "code", "recipient": "a@x.org", "attempts": 0, "created_at": due_at}
    session.add(Job(**usual | facts, due_at=due_at))
    session.commit()


def test_a_server_in_order_is_ready(ask):
    answer = ask()
    assert (answer.status_code, answer.json["ready"]) == (200, True)
    names = [check["name"] for check in answer.json["checks"]]
    assert names == ["database", "clock", "mail", "migrations", "threads"]


def test_a_database_that_is_gone_is_not_ready_and_no_more_is_asked(make_server, config):
    client = make_server({**config, "SQLALCHEMY_DATABASE_URI": GONE}).test_client()
    answer = client.get("/readyz", headers=BEARER)
    assert failing(answer) == {"database": "The database does not answer this."}
    assert "127.0.0.1" not in answer.text


def test_a_database_that_hangs_is_not_ready_in_time(app, ask):
    hung, health = Event(), operations_of(app).health
    health.add("hung", lambda _: hung.wait(30))
    health._conditions._seconds = 0.05
    try:
        assert failing(ask()) == {"database": "The database does not answer in time."}
    finally:
        hung.set()


def test_mail_that_nobody_delivers_is_not_ready(ask, session, clock):
    queue(session, due_at=clock.now - MAIL_LATE - 1)
    assert failing(ask()) == {"mail": f"The mail next in turn is {MAIL_LATE + 1} s late."}


def test_work_without_a_mail_that_nobody_does_harms_nobody(app, ask, session, clock):
    queue(session, due_at=clock.now - MAIL_LATE - 1, urgency=IDLE)
    assert ask().status_code == 200
    gauges = {name: value for name, _, value in operations_of(app).health.gauges()}
    assert gauges["e2ereset_outbox_mails"] == 0


def test_mail_that_is_put_off_harms_nobody(ask, session, clock):
    queue(session, due_at=clock.now + 60, created_at=clock.now - MAIL_LATE - 1)
    assert ask().status_code == 200


def test_a_clock_apart_from_that_of_the_database_is_not_ready(ask, clock):
    clock.now += MOST_SKEW + 60
    assert list(failing(ask())) == ["clock"]


def test_a_migration_that_has_not_run_is_not_ready(ask, session):
    session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    session.commit()
    assert failing(ask()) == {"migrations": "Run `e2ereset db upgrade`."}


def test_a_database_without_tables_fails_each_check_alone(ask, engine):
    break_table(engine, "alembic_version")
    assert list(failing(ask())) == ["migrations"]


def test_a_server_is_ready_while_its_threads_run(make_server, config, session, clock):
    clock.now = int(time.time())
    app = make_server({**config, "E2ERESET_DELIVERY": "thread"})
    client, runtime = app.test_client(), get_e2ereset(app)
    assert client.get("/readyz", headers=BEARER).status_code == 200
    for thread in runtime.background:
        thread.stop()
        assert list(failing(client.get("/readyz", headers=BEARER))) == ["threads"]


def test_a_check_of_the_host_is_asked_too(app, ask):
    operations_of(app).health.add("disk", lambda _: Condition("disk", False, "It is full."))
    assert failing(ask()) == {"disk": "It is full."}


def test_alive_is_told_to_anybody_and_asks_nothing(make_server, config):
    client = make_server({**config, "SQLALCHEMY_DATABASE_URI": GONE}).test_client()
    assert client.get("/livez").json == {"alive": True}


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
@pytest.mark.parametrize("given", [None, "Bearer wrong", TOKEN, f"bearer {TOKEN}", "Bearer é"])
def test_without_the_token_there_is_nothing(app, path, given):
    answer = app.test_client().get(path, headers={"Authorization": given} if given else {})
    assert answer.status_code == 404
    assert json.loads(answer.data) == {"success": False, "error": "Resource not found"}


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
@pytest.mark.parametrize("settings", [{}, {"E2ERESET_OPERATIONS_BIND": "127.0.0.1:9100"}])
def test_without_a_token_in_the_settings_the_app_has_no_such_page(
    make_server, config, path, settings
):
    del config["E2ERESET_OPERATIONS_TOKEN"]
    client = make_server({**config, **settings}).test_client()
    assert client.get(path, headers=BEARER).status_code == 404


def test_the_token_is_not_shown(app):
    assert TOKEN not in repr(get_e2ereset(app).settings)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"E2ERESET_OPERATIONS_TOKEN": "short"}, "16 printable ASCII characters"),
        ({"E2ERESET_OPERATIONS_TOKEN": "line\nend line end line end"}, "16 printable"),
        ({"E2ERESET_OPERATIONS_BIND": "9100"}, "such as '127.0.0.1:9100'"),
        ({"E2ERESET_OPERATIONS_BIND": "http://x:9100"}, "such as '127.0.0.1:9100'"),
        ({"E2ERESET_OPERATIONS_BIND": "127.0.0.1:99999"}, "such as '127.0.0.1:9100'"),
    ],
)
def test_an_unsafe_setting_refuses_to_start(make_server, config, setting, words):
    with pytest.raises(SettingsError, match=words):
        make_server({**config, **setting})


def test_a_look_that_hangs_is_waited_for_by_all_and_run_once():
    looks, hung = [], Event()

    def look():
        looks.append(1)
        return hung.wait(30)

    probe = Probe(look, seconds=0.02)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            probe.result()
    hung.set()
    assert len(looks) == 1


def test_a_look_that_fails_is_run_again_at_the_next_asking():
    looks = [lambda: 7, lambda: 1 / 0]
    probe = Probe(lambda: looks.pop()())
    with pytest.raises(ZeroDivisionError):
        probe.result()
    assert probe.result() == 7


def test_a_thread_that_could_not_be_started_is_started_at_the_next_asking(monkeypatch):
    probe = Probe(lambda: "seen")
    with monkeypatch.context() as patch:
        patch.setattr(Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            probe.result()
    assert probe.result() == "seen"


def no_thread(_thread):
    raise RuntimeError("can't start new thread")


def test_the_token_is_compared_in_constant_time(app, monkeypatch):
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *two: compared.append(two) or False)
    assert app.test_client().get("/readyz", headers=BEARER).status_code == 404
    assert compared == [(BEARER["Authorization"].encode(),) * 2]

"""Log lines: their form, the request they belong to, and what is never in one."""

import json
import logging
import re
import sys

import pytest
from flask import request
from sqlalchemy import text

from e2ereset.server.logs import JsonLines, TextLines
from e2ereset.server.sessions.models import Token
from tests.kit.rows import row
from tests.kit.world import break_table, mend_table, sha256

ACCESS = "e2ereset.server.request_log"
FORMATTERS = pytest.mark.parametrize("formatter", [JsonLines(), TextLines()], ids=["json", "text"])


def record(message="hello", *args, **extra):
    made = logging.LogRecord("a.logger", logging.INFO, __file__, 1, message, args, None)
    made.created = 1_800_000_000.5
    made.__dict__.update(extra)
    return made


def parsed(**extra):
    return json.loads(JsonLines().format(record(**extra)))


def test_a_json_line_says_when_what_and_by_whom():
    assert parsed(password="an extra of some library") == {
        "time": "2027-01-15T08:00:00.500Z",
        "level": "info",
        "logger": "a.logger",
        "message": "hello",
    }


def test_a_text_line_says_the_same():
    line = TextLines().format(record(facts={"status": 200}))
    assert line == "2027-01-15T08:00:00.500Z INFO a.logger hello status=200"


@row("12.16.4.1")
@FORMATTERS
def test_no_text_can_begin_a_line_of_its_own(formatter):
    evil = 'x\r\n{"level":"error"}\u2028\u0085\x1b[31m'
    line = formatter.format(record("%s", evil, facts={"address": evil}))
    assert line.isprintable()
    assert line.splitlines() == [line]


def test_a_usual_line_is_not_looked_at_character_by_character():
    line, calls = record("Answered " * 1000 + "\u00fc\n"), []
    sys.setprofile(lambda _frame, event, what: calls.append(what) if "call" in event else None)
    try:
        TextLines().format(line)
    finally:
        sys.setprofile(None)
    assert len(calls) < 100


@FORMATTERS
def test_a_traceback_stays_in_its_line(formatter):
    line = formatter.format(record(exc_info=(ValueError, ValueError("two\nlines"), None)))
    assert line.isprintable()
    assert "ValueError: two" in line


@pytest.fixture
def facts(caplog):
    """The facts in the access lines so far."""
    caplog.set_level(logging.INFO, ACCESS)
    return lambda: [r.facts for r in caplog.records if r.name == ACCESS]


def test_each_request_has_one_line(world, facts):
    ada = world.person("ada", key=False)
    world.client.get("/api/v1/me", headers=ada.headers)
    (found,) = facts()
    assert found.pop("duration_ms") >= 0
    said = {"method": "GET", "route": "/api/v1/me", "status": 200}
    assert found == said | {"account": ada.id, "address": "127.0.0.1"}


def test_a_path_that_is_no_route_is_not_logged(app, facts):
    app.test_client().get("/secret?token=secret")
    (found,) = facts()
    assert found["route"] is None
    assert "secret" not in str(found)


def request_id(app, sent="mine"):
    answer = app.test_client().get("/api/v1/me", headers={"X-Request-Id": sent})
    return answer.headers["X-Request-Id"]


def test_each_request_gets_an_id_of_its_own_and_not_the_clients(app):
    first, second = request_id(app), request_id(app)
    assert len({first, second, "mine"}) == 3
    assert re.fullmatch("[0-9a-f]{16}", first)


@pytest.fixture
def behind_proxy(make_server, config):
    trust = {"E2ERESET_SERVER_PROXY_HOPS": 1, "E2ERESET_SERVER_TRUST_REQUEST_ID": True}
    return make_server(config | trust)


def test_the_id_of_a_trusted_proxy_is_taken(behind_proxy):
    assert request_id(behind_proxy, "Aa0._-") == "Aa0._-"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "é", "a,b", '"', "a=b"])
def test_an_id_that_is_not_fit_for_a_line_is_replaced(behind_proxy, sent):
    assert re.fullmatch("[0-9a-f]{16}", request_id(behind_proxy, sent))


def test_lines_within_a_request_carry_its_id_and_later_ones_do_not(app):
    lines = []
    app.before_request(lambda: lines.append(JsonLines().format(record())))
    assert request_id(app) == json.loads(lines[0])["request_id"]
    assert "request_id" not in parsed()


def secrets_of(world, ada):
    """All that must never be in a line: what ada knows, and what the database keeps of it."""
    yield from (ada.headers["X-Auth-Token"], ada.totp.secret, *ada.backup_codes, "a right password")
    yield sha256("a right password")
    yield from world.runtime.settings.secret_keys
    yield from (row.digest for row in world.rows(Token))
    with world.runtime.transactions.read() as session:
        for column, name in (("secret", "totp"), ("digest", "backup_codes"), ("sealed", "outbox")):
            yield from session.scalars(text(f"SELECT {column} FROM e2ereset_{name}"))
        yield from session.scalars(text("SELECT password_hash FROM users"))


def live(world, ada, engine):
    """A whole life: signed in, wrong, right, broken."""
    for code in ("918273", world.code(ada)):
        world.login("ada", "a right password", code=code)
    world.clock.now += 30
    world.reset(ada, code="918273")
    right = world.code(ada)
    break_table(engine, "e2ereset_outbox")
    assert world.reset(ada, code=right).status_code == 503
    mend_table(engine, "e2ereset_outbox")
    kept = {s for s in secrets_of(world, ada) if s} | {right, "918273"}
    assert world.reset(ada, code=right).status_code == 200
    return kept | {s for s in secrets_of(world, ada) if s}


@row("12.16.2.5", "13.mfa.5")
@FORMATTERS
def test_no_secret_is_ever_in_a_line(world, caplog, engine, formatter):
    ada = world.person("ada", totp=True, password="a right password")
    caplog.set_level(logging.DEBUG)
    # At DEBUG it prints the rows that it fetched: docs/operations.md warns of it.
    caplog.set_level(logging.INFO, "sqlalchemy.engine")
    secrets = live(world, ada, engine)
    lines = [formatter.format(r) for r in caplog.records]
    assert any("Answered 503" in line for line in lines)
    assert any("sqlalchemy" in r.name for r in caplog.records)
    found = [s for s in secrets if any(re.search(rf"(?<!\w){re.escape(s)}", li) for li in lines)]
    assert found == []


def test_nothing_but_the_address_is_taken_from_a_proxy(behind_proxy, facts):
    seen = []
    behind_proxy.add_url_rule("/env", "env", lambda: seen.append(request.url) or "")
    forged = {"Proto": "https", "Host": "evil.example", "Prefix": "/evil", "Port": "444"}
    forged["For"] = "6.6.6.6, 1.1.1.1"
    headers = {f"X-Forwarded-{name}": value for name, value in forged.items()}
    behind_proxy.test_client().get("/env", headers=headers)
    assert (seen, facts()[0]["address"]) == (["http://localhost/env"], "1.1.1.1")

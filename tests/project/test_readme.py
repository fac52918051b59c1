"""The README is true: its code blocks run, its commands exist."""

import ast
import re
import shlex
import time
from textwrap import indent

import pyotp
import pytest
from click.testing import CliRunner

from e2ereset import get_e2ereset
from e2ereset.server.cli import main
from tests.kit.lines import embedding_lines
from tests.kit.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SHELL = [
    line.partition("#")[0].strip()
    for kind, text in BLOCKS
    if kind == "sh"
    for line in text.splitlines()
]


EMBEDDING = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
ENROLLING = EMBEDDING.partition("## Your users enrol")[2].partition("\n## ")[0]
CALL, ENROL = re.findall(r"```python\n(.*?)```", ENROLLING, re.DOTALL)


@pytest.fixture
def host(database_uri, call):
    """The README's host app, with bob in it."""
    names = {"__name__": "readme"}
    (text,) = [text for kind, text in BLOCKS if kind == "python"]
    usual = "    E2EReset(app, db=db, accounts=accounts, identify=flask_login_identify)\n"
    assert usual in text
    called = indent(call, "    ") if call else usual
    exec(compile(text.replace(usual, called), "README.md", "exec"), names)
    app = names["create_app"](
        SECRET_KEY="k" * 32, SQLALCHEMY_DATABASE_URI=database_uri, TESTING=True
    )
    with app.app_context():
        names["db"].create_all()
        bob = names["User"](id="7", name="bob", email="bob@x.org", confirmed=True)
        names["db"].session.add_all([bob, names["User"](id="8", name="\u00dcnal")])
        names["db"].session.commit()
    yield app  # not within the context: requests would share Flask-Login's user
    with app.app_context():
        names["db"].engine.dispose()


@pytest.fixture
def call():
    """The call of E2EReset in the place of the README's; None for the README's."""
    return None


def code_of_bob(app):
    runtime = get_e2ereset(app)
    with runtime.transactions.read() as session:
        bob = runtime.accounts.find(session, "BOB")
    return pyotp.TOTP(runtime.factors.enrol_totp(bob).secret).now()


def test_the_embedding_is_ten_lines():
    (text,) = [text for kind, text in BLOCKS if kind == "python"]
    assert embedding_lines(text) <= 10


def test_the_embedding_resets_a_key(host):
    headers = {"X-Demo-User": "7", "x-2fa-code": code_of_bob(host)}
    response = host.test_client().post("/api/v1/users.resetE2EKey", headers=headers)
    assert response.data == b'{"success":true}'


def test_the_embedding_guards_a_view_of_the_host(host):
    client, code = host.test_client(), code_of_bob(host)
    assert client.delete("/projects/x").status_code == 401
    asked = client.delete("/projects/x", headers={"X-Demo-User": "7"})
    assert asked.json["errorType"] == "totp-required"
    passed = client.delete("/projects/x", headers={"X-Demo-User": "7", "x-2fa-code": code})
    assert passed.json == {"deleted": "x"}


def test_the_embedding_counts_tries_by_the_clock_of_the_database(host):
    charge = get_e2ereset(host).budgets.charge("7", "p", ((300, 5),) * 3, 0)
    assert abs(charge.starts[0] - time.time()) < 5


@pytest.mark.parametrize("spelling", ["\u00dcnal", "\u00fcnal", "U\u0308NAL"])
def test_the_embedding_finds_a_name_that_sqlite_cannot_fold(host, spelling):
    runtime = get_e2ereset(host)
    with runtime.transactions.read() as session:
        assert runtime.accounts.find(session, spelling).id == "8"


@pytest.mark.parametrize("call", [CALL])
def test_the_users_of_the_embedding_enrol_by_less_than_20_lines(host, capsys):
    assert len([line for line in (CALL + ENROL).splitlines() if line]) < 20
    names = {"app": host}
    exec(compile(ENROL, "docs/embedding.md", "exec"), names)
    status = ast.literal_eval(capsys.readouterr().out.splitlines()[-1])
    on = [status[method]["enabled"] for method in ("totp", "email")]
    assert (on, status["backupCodesLeft"]) == ([True, True], 11)
    proof = names["bob"] | {"x-2fa-code": names["codes"][1]}
    assert host.test_client().post("/api/v1/users.resetE2EKey", headers=proof).status_code == 200


def test_the_users_of_the_embedding_do_not_enrol_without_the_area(host):
    answer = host.test_client().post("/api/v1/users.enableTotp", headers={"X-Demo-User": "7"})
    assert answer.status_code == 404


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("make ")])
def test_make_knows_the_target(line):
    target = shlex.split(line)[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("e2ereset ")])
def test_the_command_line_knows_the_command(line):
    words = [word for word in shlex.split(line)[1:] if re.fullmatch(r"[a-z0-9-]+", word)]
    names = [word for word in words if not word.startswith("--")][:2]
    shown = CliRunner().invoke(main, [*names, "--help"])
    assert shown.exit_code == 0
    assert [o for o in shlex.split(line) if o.startswith("--") and o not in shown.output] == []

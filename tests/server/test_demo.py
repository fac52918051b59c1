"""The demo: people to try the server with, and a line to paste that resets a key."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.kit.client import RESET
from tests.kit.commands import error_of


def test_the_demo_resets_a_key(done, app):
    words = done("demo")["curl"].split("'")
    headers = dict(word.split(": ", 1) for word in words if ": " in word and "{" not in word)
    assert done("user", "show", "bob")["keySet"] is True
    for _ in range(3):  # the line can be pasted again
        answer = app.test_client().post(RESET, json=json.loads(words[-2]), headers=headers)
        assert answer.json == {"success": True}
    assert done("user", "show", "bob")["keySet"] is False


def test_the_demos_line_can_be_pasted_into_any_shell(done, monkeypatch):
    monkeypatch.setenv("HOST", "::1")
    assert " 'http://[::1]:8000/api/v1/users.resetE2EKey' " in done("demo")["curl"]


def test_the_demo_starts_again_with_the_same_people(done):
    first, second = done("demo"), done("demo")
    assert first["passwords"] == second["passwords"]
    assert first["authToken"] != second["authToken"]
    assert done("user", "show", "bob")["keySet"] is True


def test_the_demo_names_pages_that_are_there(done, run, app):
    facts = done("demo")
    for name in ("pages", "console"):
        assert facts[name] in run("demo").output
        path = facts[name].removeprefix("http://127.0.0.1:8000")
        answer = app.test_client().get(path, headers={"Accept": "text/html"})
        assert answer.location.startswith("/sign-in")


def test_the_demo_tells_by_what_each_proves_who_they_are_now(done, run):
    said = run("demo").output
    assert re.findall("second factor: (TOTP|the password)", said) == ["TOTP", *["the password"] * 2]
    for name in ("bob", "carol"):
        done("user", "email-2fa", name, "--on")
    said = run("demo").output
    assert said.count("second factor: what you have set up (email)") == 2
    assert "carol would reset bob's E2E key:" in said


def test_the_demo_keeps_its_passwords_for_their_owner(done, app):
    before = os.umask(0)
    try:
        done("demo")
    finally:
        os.umask(before)
    assert Path(app.instance_path, "demo.json").stat().st_mode & 0o777 == 0o600


def test_the_demo_code_signs_alice_in(world, done):
    password = done("demo")["passwords"]["alice"]
    code = done("demo", "code")["code"]
    assert world.login("alice", password, code=code).status_code == 200


def test_the_demo_leaves_other_peoples_databases_alone(admin, run, done):
    assert "Say --yes" in error_of(run("demo"))
    assert run("demo", "--if-empty").output == "There are users already: no demo was made.\n"
    assert len(done("user", "list")) == 1
    done("demo", "--yes")
    assert len(done("user", "list")) == 4


def test_a_demo_does_not_take_somebody_elses_name(world, bob, run):
    assert "no demo users" in error_of(run("demo", "--yes"))


@pytest.mark.slow
def test_the_printed_command_is_one_of_this_shell(run, monkeypatch):
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.delenv("E2ERESET_INSTANCE")
    (command,) = re.findall(r"`(.*) demo code`", run("demo").output)
    assert subprocess.run([command, "--version"], check=True, capture_output=True).stdout


def test_the_demo_tells_a_database_from_another(run, done, app):
    facts = done("demo")
    facts["userIds"]["bob"] = "of another database"
    Path(app.instance_path, "demo.json").write_text(json.dumps(facts))
    assert "another database" in error_of(run("demo"))

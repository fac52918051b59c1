"""The command line: what each command does, its JSON, and its one clear line on an error."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pyotp
import pytest
from click.testing import CliRunner
from flask_migrate import upgrade
from sqlalchemy import select, update

from e2ereset import get_e2ereset
from e2ereset.audit.models import AuditRow
from e2ereset.jobs.models import Job
from e2ereset.server.app import add_migrations
from e2ereset.server.cli import main
from e2ereset.server.people.models import User
from e2ereset.server.sessions.models import Token
from tests.kit.audit import write_row
from tests.kit.server import HASHER, NOW, make_user


@pytest.fixture
def run(app):
    """Runs a command of the server under test; its result."""
    return lambda *args, **options: app.test_cli_runner().invoke(args=args, **options)


@pytest.fixture
def run_json(run):
    """Runs a command with --json; what it printed, parsed."""

    def parsed(*args, **options):
        result = run(*args, "--json", **options)
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    return parsed


@pytest.fixture
def bob(session):
    user = make_user(session, emails=["bob@x.org"])
    session.commit()
    return user


@pytest.fixture
def runtime(app):
    return get_e2ereset(app)


def commands(group=main, path=()):
    """Every command below a group, as the words that call it."""
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def write_audit(runtime, **facts):
    with runtime.transactions.begin() as session:
        write_row(runtime.audit, session, **{"at": NOW, "caller": "a"} | facts)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_has_help(words):
    result = CliRunner().invoke(main, [*words, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_takes_json(words):
    command = main
    for word in words:
        command = command.commands[word]
    if not isinstance(command, click.Group):
        assert "--json" in {text for option in command.params for text in option.opts}


def test_the_version_is_that_of_e2ereset():
    assert re.fullmatch(r"e2ereset \d+\.\d+\.\d+\n", CliRunner().invoke(main, ["--version"]).output)


def test_nothing_that_drops_tables_or_writes_migrations_is_offered():
    assert set(main.commands["db"].commands) == {"upgrade", "current"}


def test_the_present_migration_is_told(make_server, config):
    run = make_server(config).test_cli_runner().invoke
    before = run(args=["db", "current"])
    assert (before.exit_code, "at migration none. The newest" in before.output) == (1, True)
    assert run(args=["db", "upgrade"]).exit_code == 0
    after = json.loads(run(args=["db", "current", "--json"]).output)
    assert after["revision"] == after["newest"]
    assert after["upToDate"] is True


def test_a_user_is_added(run_json, session):
    made = run_json("user", "add", "bob", "--email", "b@x.org", "--verified", "--role", "admin")
    user = session.scalar(select(User))
    assert made == {"userId": user.id, "username": "bob"}
    assert [role.role for role in user.roles] == ["admin"]
    assert [(mail.address, mail.verified) for mail in user.emails] == [("b@x.org", True)]
    assert user.password_hash is None


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_password_comes_from_standard_input(run_json, session, end):
    run_json("user", "add", "bob", "--password-stdin", input=f"a long word{end}")
    assert HASHER.verify(HASHER.digest("a long word"), session.scalar(select(User.password_hash)))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["user", "add", "bob"], "taken"),
        (["user", "add", "b b"], "letters"),
        (["user", "add", "eve", "--role", "boss"], "There is no role 'boss'. Known: admin"),
        (["user", "add", "eve", "--email", "eve"], "no e-mail address"),
        (["user", "add", "eve", "--password-stdin"], "no password on standard input"),
        (["user", "show", "eve"], "There is no user 'eve'"),
        (["user", "totp", "eve"], "There is no user 'eve'"),
        (["user", "token", "eve"], "There is no user 'eve'"),
        (["user", "email-2fa", "eve", "--on"], "There is no user 'eve'"),
        (["permission", "grant", "edit-other-user-e2ee", "boss"], "Known: admin"),
        (["permission", "grant", "fly", "admin"], "Known: edit-other-user-e2ee"),
        (["permission", "revoke", "fly", "admin"], "Known: edit-other-user-e2ee"),
        (["demo", "code"], "no demo users"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_is_one_clear_line(run, bob, args, words):
    result = run(*args)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert words in result.output
    assert result.output.count("\n") == 1


def test_missing_tables_are_one_clear_line(make_server, config):
    result = make_server(config).test_cli_runner().invoke(args=["user", "list"])
    assert result.exit_code == 1
    assert "e2ereset db upgrade" in result.output
    assert result.output.count("\n") == 1


def test_totp_is_enrolled_at_once(run_json, bob):
    made = run_json("user", "totp", "BOB")
    assert pyotp.parse_uri(made["url"]).secret == made["secret"]
    assert len(set(made["backupCodes"])) == 12
    assert run_json("user", "show", "bob")["totp"] is True


def test_totp_is_switched_off_and_can_be_enrolled_anew(run_json, bob):
    first = run_json("user", "totp", "bob")["secret"]
    assert run_json("user", "totp", "bob", "--off") == {"username": "bob", "totp": False}
    assert run_json("user", "show", "bob")["backupCodesLeft"] == 0
    assert run_json("user", "totp", "bob")["secret"] != first


def test_an_enrolled_user_is_not_enrolled_again(run, bob):
    run("user", "totp", "bob")
    result = run("user", "totp", "bob")
    assert result.exit_code == 1
    assert "enabled already" in result.output


@pytest.mark.parametrize(("flag", "enabled"), [("--on", True), ("--off", False)])
def test_mailed_codes_are_switched(run_json, bob, flag, enabled):
    run_json("user", "email-2fa", "bob", "--on")
    assert run_json("user", "email-2fa", "bob", flag) == {"username": "bob", "email2fa": enabled}
    assert run_json("user", "show", "bob")["email2fa"] is enabled


def test_email_2fa_wants_to_know_which(run, bob):
    assert run("user", "email-2fa", "bob").exit_code == 2


def test_a_token_signs_in(run_json, bob, app):
    made = run_json("user", "token", "bob")
    headers = {"X-User-Id": made["userId"], "X-Auth-Token": made["authToken"]}
    assert app.test_client().get("/api/v1/me", headers=headers).json["username"] == "bob"


def test_a_personal_token_never_expires_and_may_bypass(run_json, bob, session):
    run_json("user", "token", "bob", "--personal", "ci", "--bypass")
    token = session.scalar(select(Token))
    assert (token.name, token.expires_at, token.bypass_two_factor) == ("ci", None, True)


def test_a_second_personal_token_of_one_name_is_refused(run, bob):
    run("user", "token", "bob", "--personal", "ci")
    result = run("user", "token", "bob", "--personal", "ci")
    assert (result.exit_code, "'ci' already" in result.output) == (1, True)


def test_a_sign_in_can_not_bypass(run, bob):
    assert run("user", "token", "bob", "--bypass").exit_code == 2


@pytest.mark.parametrize("extra", [(), ("--personal", "ci")])
def test_an_inactive_user_gets_no_token(run, bob, session, extra):
    bob.active = False
    session.commit()
    result = run("user", "token", "bob", *extra)
    assert (result.exit_code, "not activated" in result.output) == (1, True)


def test_show_and_list_say_the_same(run_json, bob):
    shown = run_json("user", "show", "bob")
    assert run_json("user", "list") == [shown]
    assert shown["emails"] == [{"address": "bob@x.org", "verified": True}]
    assert (shown["roles"], shown["keySet"], shown["password"]) == (["user"], False, False)


def test_no_listing_shows_a_secret(run, run_json, session):
    stored = HASHER.hash("pw")
    make_user(session, password_hash=stored)
    session.commit()
    secrets = [run_json("user", "totp", "bob")["secret"], stored]
    secrets += [run_json("user", "token", "bob")["authToken"], session.scalar(select(Token.digest))]
    shown = "".join(run("user", *args).output for args in (["show", "bob"], ["list"]))
    assert not [secret for secret in secrets if secret in shown]


def test_the_permission_table_is_listed(run, run_json):
    row = {"permission": "edit-other-user-e2ee", "role": "admin"}
    assert row in run_json("permission", "list")
    assert "edit-other-user-e2ee" in run("permission", "list").output


def test_a_permission_is_granted_and_revoked(run, run_json):
    row = {"permission": "edit-other-user-e2ee", "role": "bot"}
    assert run_json("permission", "grant", *row.values()) == {**row, "granted": True}
    assert row in run_json("permission", "list")
    assert run_json("permission", "revoke", *row.values()) == {**row, "granted": False}
    assert row not in run_json("permission", "list")


def test_due_mails_are_delivered_once(run_json, runtime):
    with runtime.transactions.begin() as session:
        facts = {"left": 3, "at": NOW, "address": "", "agent": ""}
        runtime.jobs.put(session, "unknown-kind", facts, recipients=["b@x.org"], now=NOW)
    write_audit(runtime)
    assert run_json("outbox", "deliver", "--once") == {"delivered": 0, "sealed": 1}
    (mail,) = run_json("outbox", "list")
    assert (mail["recipient"], mail["attempts"], mail["state"]) == ("b@x.org", 1, "queued")


def test_the_outbox_never_shows_what_is_in_a_mail(run, runtime, session):
    with runtime.transactions.begin() as own:
        runtime.jobs.put(own, "kind", {"code": "424242"}, recipients=["b@x.org"], now=NOW)
    shown = run("outbox", "list").output
    assert "b@x.org" in shown
    assert "424242" not in shown
    assert session.scalar(select(Job.sealed)) not in shown


def test_the_audit_log_ends_with_the_newest(run_json, runtime):
    for caller in "abc":
        write_audit(runtime, caller=caller)
    assert [row["caller"] for row in run_json("audit", "tail", "--limit", "2")] == ["b", "c"]


def test_the_audit_log_names_people_under_heads(run, run_json, runtime, bob):
    write_audit(runtime, caller=bob.id, target=bob.id)
    write_audit(runtime, caller="operator:root", target="who is gone")
    heads, first, second = run("audit", "tail").output.splitlines()
    assert heads.split()[:5] == ["place", "time", "action", "caller", "target"]
    assert first.split()[3:5] == ["bob", "bob"]
    assert second.split()[3] == "operator:root"
    row = run_json("audit", "tail")[0]
    assert (row["caller"], row["callerName"]) == (bob.id, "bob")


@pytest.mark.parametrize("target", ["bob", "BOB", "id-of-bob"])
def test_the_audit_log_of_one_person_is_found_by_name_or_id(run_json, runtime, bob, target):
    write_audit(runtime, target=bob.id)
    write_audit(runtime, target="somebody else")
    assert [row["target"] for row in run_json("audit", "tail", "--target", target)] == [bob.id]


def test_the_audit_log_of_nobody_is_an_error_and_that_of_one_who_is_gone_is_not(run, runtime):
    write_audit(runtime, target="who-is-gone")
    assert run("audit", "tail", "--target", "who-is-gone").exit_code == 0
    result = run("audit", "tail", "--target", "bbo")
    assert (result.exit_code, "There is no user 'bbo'" in result.output) == (1, True)


def test_the_outbox_has_heads(run, runtime):
    with runtime.transactions.begin() as session:
        runtime.jobs.put(session, "kind", {}, recipients=["b@x.org"], now=NOW)
    heads, mail = run("outbox", "list").output.splitlines()
    assert heads.split()[:4] == ["id", "made", "kind", "to"]
    assert mail.split()[2:5] == ["kind", "b@x.org", "queued"]


def test_no_control_code_reaches_the_terminal(run, runtime):
    write_audit(runtime, agent="\x1b[2J")
    assert "\x1b" not in run("audit", "tail").output


def test_a_whole_audit_log_is_said_to_be(run, runtime):
    write_audit(runtime)
    result = run("audit", "verify")
    assert (result.exit_code, result.output) == (
        0,
        "1 row checked, 1 of them not sealed yet.\nThe audit log is whole.\n",
    )


def test_a_changed_audit_row_is_found(run, runtime):
    write_audit(runtime)
    runtime.sealer.seal()
    with runtime.transactions.begin() as session:
        session.execute(update(AuditRow).values(caller="somebody else"))
    result = run("audit", "verify", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)[0]["kind"] == "row-changed"


def test_the_demo_resets_a_key(run_json, app):
    facts = run_json("demo")
    words = facts["curl"].split("'")
    headers = dict(word.split(": ", 1) for word in words if ": " in word and "{" not in word)
    assert run_json("user", "show", "bob")["keySet"] is True
    client = app.test_client()
    for _ in range(3):  # the line can be pasted again
        body = json.loads(words[-2])
        answer = client.post("/api/v1/users.resetE2EKey", json=body, headers=headers)
        assert answer.json == {"success": True}
    assert run_json("user", "show", "bob")["keySet"] is False


def test_the_demos_line_can_be_pasted_into_any_shell(run_json, monkeypatch):
    monkeypatch.setenv("HOST", "::1")
    assert " 'http://[::1]:8000/api/v1/users.resetE2EKey' " in run_json("demo")["curl"]


def test_the_demo_starts_again_with_the_same_people(run_json, app):
    first, second = run_json("demo"), run_json("demo")
    assert first["passwords"] == second["passwords"]
    assert first["authToken"] != second["authToken"]
    assert run_json("user", "show", "bob")["keySet"] is True


def test_the_demo_keeps_its_passwords_for_their_owner(run_json, app):
    before = os.umask(0)
    try:
        run_json("demo")
    finally:
        os.umask(before)
    assert (Path(app.instance_path) / "demo.json").stat().st_mode & 0o777 == 0o600


def test_the_demo_code_signs_alice_in(run_json, app):
    password = run_json("demo")["passwords"]["alice"]
    body = {"user": "alice", "password": password, "code": run_json("demo", "code")["code"]}
    assert app.test_client().post("/api/v1/login", json=body).status_code == 200


def test_the_demo_leaves_other_peoples_databases_alone(run, run_json, session):
    make_user(session, "boss", roles=["admin"])
    session.commit()
    result = run("demo")
    assert (result.exit_code, "Say --yes" in result.output) == (1, True)
    assert run("demo", "--if-empty").output == "There are users already: no demo was made.\n"
    assert len(run_json("user", "list")) == 1


def test_a_demo_that_is_wanted_beside_others_is_made(run_json, session):
    make_user(session, "boss", roles=["admin"])
    session.commit()
    run_json("demo", "--yes")
    assert len(run_json("user", "list")) == 4


def test_a_demo_does_not_take_somebody_elses_name(run, bob):
    result = run("demo", "--yes")
    assert (result.exit_code, "no demo users" in result.output) == (1, True)


def test_the_printed_command_is_one_of_this_shell(run, monkeypatch):
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.delenv("E2ERESET_INSTANCE")
    (command,) = re.findall(r"`(.*) demo code`", run("demo").output)
    assert subprocess.run([command, "--version"], check=True, capture_output=True).stdout


def test_the_demo_tells_a_database_from_another(run, run_json, app):
    facts = run_json("demo")
    facts["userIds"]["bob"] = "of another database"
    Path(app.instance_path, "demo.json").write_text(json.dumps(facts))
    result = run("demo")
    assert (result.exit_code, "another database" in result.output) == (1, True)


def test_a_bad_setting_is_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setenv("E2ERESET_INSTANCE", str(tmp_path))
    monkeypatch.setenv("FLASK_E2ERESET_COLOUR", "red")
    result = CliRunner().invoke(main, ["user", "list"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: E2ERESET_COLOUR is not a setting.")
    assert result.output.count("\n") == 1
    assert CliRunner().invoke(main, ["--help"]).exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_delivering_loop_ends_cleanly(make_server, make_database, config, number):
    uri = make_database("loop")
    server = make_server({**config, "SQLALCHEMY_DATABASE_URI": uri})
    with add_migrations(server).app_context():
        upgrade()
        write_audit(get_e2ereset())
    environ = os.environ | {
        "FLASK_SQLALCHEMY_DATABASE_URI": uri,
        "FLASK_SECRET_KEY": config["SECRET_KEY"],
    }
    command = [sys.executable, "-m", "e2ereset.server.cli", "outbox", "deliver"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE) as process:
        with make_server({**config, "SQLALCHEMY_DATABASE_URI": uri}).app_context():
            wait_for_seal(get_e2ereset())
        process.send_signal(number)
        assert process.communicate(timeout=20) == (None, b"")
    assert process.returncode == 0


def wait_for_seal(runtime):
    """Until the loop has sealed the row that is there: then it is at work."""
    for _ in range(200):
        with runtime.transactions.read() as session:
            if session.scalar(select(AuditRow.position)) is not None:
                return
        time.sleep(0.1)
    pytest.fail("The loop has not sealed the row.")

"""The command line: what each command does, its JSON, and its one clear line on an error."""

import json
import os
import re
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from flask_migrate import upgrade
from sqlalchemy import select

from e2ereset import get_e2ereset
from e2ereset.audit.models import AuditRow
from e2ereset.server.cli import main
from e2ereset.server.migrations import add_migrations
from tests.kit.audit import write_row
from tests.kit.commands import error_of
from tests.kit.network import wait_for


def commands(group=main, path=()):
    """Every command below a group, as the words that call it."""
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_has_help_and_takes_json(words):
    result = CliRunner().invoke(main, [*words, "--help"])
    assert (result.exit_code, "Usage:" in result.output) == (0, True)
    assert "--json" in result.output or "Commands:" in result.output
    assert "..." not in result.output.partition("Commands:")[2]  # no sentence is cut


def test_the_version_is_that_of_e2ereset():
    assert re.fullmatch(r"e2ereset \d+\.\d+\.\d+\n", CliRunner().invoke(main, ["--version"]).output)


@pytest.mark.parametrize("turn", ["first", "second"])
def test_what_a_command_notes_in_the_environment_reaches_no_other_test(turn):
    assert "FLASK_RUN_FROM_CLI" not in os.environ
    CliRunner().invoke(main, ["permission", "--help"])
    assert "FLASK_RUN_FROM_CLI" in os.environ  # where this goes, so may what takes it back


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


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("user add bob", "taken"),
        ("user add b/b", "letters"),
        ("user add eve --role boss", "There is no role 'boss'. Known: admin"),
        ("user add eve --email eve", "no e-mail address"),
        ("user add eve --password-stdin", "no password on standard input"),
        ("user show eve", "There is no user 'eve'"),
        ("user totp eve", "There is no user 'eve'"),
        ("user token eve", "There is no user 'eve'"),
        ("user email-2fa eve --on", "There is no user 'eve'"),
        ("permission grant edit-other-user-e2ee boss", "Known: admin"),
        ("permission grant fly admin", "Known: access-permissions"),
        ("permission revoke fly admin", "Known: access-permissions"),
        ("demo code", "no demo users"),
    ],
)
def test_an_error_is_one_clear_line(run, bob, args, words):
    assert words in error_of(run(*args.split()))


def test_missing_tables_are_one_clear_line(make_server, config):
    result = make_server(config).test_cli_runner().invoke(args=["user", "list"])
    assert "e2ereset db upgrade" in error_of(result)


def test_a_permission_is_granted_listed_and_revoked(run, done):
    row = {"permission": "edit-other-user-e2ee", "role": "bot"}
    assert done("permission", "grant", *row.values()) == {**row, "granted": True}
    assert row in done("permission", "list")
    assert "bot" in run("permission", "list").output
    assert done("permission", "revoke", *row.values()) == {**row, "granted": False}
    assert row not in done("permission", "list")


def test_a_bad_setting_is_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setenv("E2ERESET_INSTANCE", str(tmp_path))
    monkeypatch.setenv("FLASK_E2ERESET_COLOUR", "red")
    result = CliRunner().invoke(main, ["user", "list"])
    assert error_of(result).startswith("Error: E2ERESET_COLOUR is not a setting.")
    assert CliRunner().invoke(main, ["--help"]).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_delivering_loop_ends_cleanly(make_server, make_database, config, number):
    uri = make_database("loop")
    server = make_server({**config, "SQLALCHEMY_DATABASE_URI": uri})
    environ = os.environ | {"FLASK_SQLALCHEMY_DATABASE_URI": uri}
    environ["FLASK_SECRET_KEY"] = config["SECRET_KEY"]
    command = [sys.executable, "-m", "e2ereset.server.cli", "outbox", "deliver"]
    with add_migrations(server).app_context():
        upgrade()
        runtime = get_e2ereset()
        with runtime.transactions.begin() as session:
            write_row(runtime.audit, session)
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE) as process:
            wait_for(lambda: is_sealed(runtime), "the loop to seal the row")
            process.send_signal(number)
            assert process.communicate(timeout=20) == (None, b"")
    assert process.returncode == 0


def is_sealed(runtime):
    """Whether the loop has sealed the row that is there: then it is at work."""
    with runtime.transactions.read() as session:
        return session.scalar(select(AuditRow.position)) is not None

"""The command line: of the server under test in the test itself, or of a program beside it."""

import getpass
import json
import os
import subprocess

import pytest

from e2ereset.audit.models import AuditRow
from tests.kit.paths import ROOT

OPERATOR = f"operator:{getpass.getuser()}"  # who runs commands


@pytest.fixture(autouse=True)
def same_environment():
    """Each test leaves the environment as it was: Flask's command line notes in it that it runs."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def run(app):
    """Runs a command of the server under test; its result."""
    return lambda *args, **options: app.test_cli_runner().invoke(args=args, **options)


@pytest.fixture
def done(run):
    """Runs a command with --json that has to succeed; what it printed, parsed."""

    def parsed(*args, **options):
        result = run(*args, "--json", **options)
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    return parsed


def error_of(result):
    """The one clear line of a command that failed."""
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert result.output.startswith("Error: ")
    return result.output


def operator_acts(runtime):
    """(action, target, outcome, reason) of what the operator did, oldest first."""
    with runtime.transactions.read() as session:
        rows = session.query(AuditRow).filter_by(caller=OPERATOR).order_by(AuditRow.id).all()
    return [(row.action, row.target, row.outcome, row.reason) for row in rows]


def run_program(command, folder, **environ):
    """Run a program in this folder, under a umask of 0, with no settings but these; its result."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FLASK_", "E2ERESET_"))}
    return subprocess.run(
        command,
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **environ},
        umask=0,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

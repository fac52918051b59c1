"""The command line of the server under test, run within the test's own process."""

import json

import pytest


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

"""`@rocket.chat/api-client` from npm, unmodified, against real gunicorn."""

import json
import shutil
import subprocess

import pytest

from tests.kit.live import make_live
from tests.kit.paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("npm"), reason="node and npm are not installed"),
]

CLIENTS = ROOT / "tests" / "clients"
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """A copy of the clients' folder with the packages of its lock file installed."""
    folder = tmp_path_factory.mktemp("npm") / "clients"
    shutil.copytree(CLIENTS, folder, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with make_live(tmp_path_factory.mktemp("api-client")) as live:
        yield live


def run(clients, live, name, *codes):
    command = ["node", "api_client.mjs", live.url, name, PASSWORD, *codes]
    done = subprocess.run(command, cwd=clients, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_its_handler_answers_the_password_challenge(clients, live):
    live.cli("user", "add", "ada", "--password-stdin", stdin=PASSWORD)
    seen = run(clients, live, "ada")
    assert [c["method"] for c in seen["challenges"]] == ["password", "password"]
    assert [c["invalidAttempt"] for c in seen["challenges"]] == [False, True]
    assert seen["reset"] == {"success": True}


def test_its_handler_answers_the_totp_challenge(clients, live):
    live.cli("user", "add", "tim", "--password-stdin", stdin=PASSWORD)
    first, second, third, *_ = live.cli("user", "totp", "tim")["backupCodes"]
    seen = run(clients, live, "tim", first, second, third)
    assert [c["method"] for c in seen["challenges"]] == ["totp", "totp"]
    assert seen["reset"] == {"success": True}


def test_it_is_logged_out_by_the_reset_and_finds_no_key_afterwards(clients, live):
    live.cli("user", "add", "eve", "--password-stdin", stdin=PASSWORD)
    seen = run(clients, live, "eve")
    assert seen["username"] == "eve"
    assert seen["set"] == {"success": True}
    assert seen["fetched"]["public_key"] == "PUB"
    assert (seen["afterReset"], seen["afterLogout"]) == (401, 401)
    assert seen["fetchedAfter"] == {"success": True}

"""Published clients, unmodified and at pinned versions, against real gunicorn."""

import json
import shutil
import subprocess
import sys

import pytest
from werkzeug.serving import make_server as make_wsgi

from tests.kit.client import ME, RESET
from tests.kit.live import environment, make_live
from tests.kit.network import serving
from tests.kit.pages import browser_of
from tests.kit.passkeys import SETTINGS as PASSKEY_SETTINGS
from tests.kit.passkeys import add as add_passkey
from tests.kit.passkeys import code_for
from tests.kit.paths import ROOT

pytestmark = pytest.mark.slow

CLIENTS = ROOT / "tests" / "clients"
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """A copy of the clients' folder with the packages of its lock file installed."""
    if not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
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


@pytest.fixture(scope="module")
def rocket_python(tmp_path_factory):
    """Where `rocket-python` is, apart from our packages: it brings a package `tests` along."""
    folder = tmp_path_factory.mktemp("pip") / "packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--target", folder, "--requirement", CLIENTS / "requirements.txt"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def program(command, **options):
    """What a program printed as JSON."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run(clients, live, name, *codes):
    command = ["node", "api_client.mjs", live.url, name, PASSWORD, *codes]
    return program(command, cwd=clients)


def add_admin(live, name):
    live.cli("user", "add", name, "--role", "admin", "--password-stdin", stdin=PASSWORD)


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


@pytest.mark.parametrize("version", ["alpha", "old"])
def test_both_sdks_administer_people_and_rooms_and_reset(clients, live, version):
    add_admin(live, f"admin-{version}")
    command = ["node", "sdk.mjs", version, live.url, f"admin-{version}", PASSWORD]
    seen = program(command, cwd=clients)
    guest = f"guest-{version}"
    # The older one hides from its caller what a refusal was.
    assert seen["refused"] == {"alpha": "totp-required", "old": "refused"}[version]
    assert (seen["keptKey"], seen["reset"], seen["keyAfter"]) == ("PUB", {"success": True}, None)
    assert seen["sameUser"]
    assert seen["members"] == [f"admin-{version}", guest]
    assert f"room-{version}" in seen["rooms"]
    assert seen["info"] == guest
    assert guest in seen["users"]
    assert guest in seen["roles"]
    assert seen["permissions"] > 10
    assert seen["token"] == "string"
    assert seen["waiting"] == 1


def test_rocket_python_administers_people_and_logs_out(rocket_python, live):
    add_admin(live, "ruth")
    command = [
        sys.executable,
        ROOT / "tests" / "kit" / "rocket_python.py",
        live.url,
        "ruth",
        PASSWORD,
    ]
    seen = program(command, env=environment() | {"PYTHONPATH": str(rocket_python)})
    assert seen["me"] == "ruth"
    assert seen["info"] == "guest-python"
    assert "guest-python" in seen["users"]
    assert seen["rooms"] == ["room-python"]
    assert seen["deleted"]["success"] is True
    assert seen["refused"] == 400
    assert seen["logout"] == "success"


def test_the_mobile_app_resets_with_an_empty_body_and_then_the_headers(live):
    mia = live.user("mia", totp=True)
    json_type = {"Content-Type": "application/json"}
    asked = live.call("POST", RESET, mia.headers | json_type)
    assert (asked.status, asked.body["errorType"]) == (400, "totp-required")
    assert asked.body["details"]["method"] == "totp"
    proof = {"x-2fa-method": "totp", "x-2fa-code": mia.backup_codes[0]}
    done = live.call("POST", RESET, mia.headers | json_type | proof)
    assert (done.status, done.body) == (200, {"success": True})
    assert live.call("GET", ME, mia.headers).status == 401


# Passkeys


def test_its_reader_types_the_code_of_a_page(clients, make_server, config, world):
    world = world.through(make_server(config | PASSKEY_SETTINGS))
    person = world.person("pat", password=PASSWORD)
    key = add_passkey(browser_of(world, person), code=PASSWORD)
    world.clock.tick(1)
    headers = world.again(person).headers
    with serving(make_wsgi("127.0.0.1", 0, world.app, threaded=True)) as server:
        url = f"http://127.0.0.1:{server.port}"
        command = ["node", "passkey_code.mjs", url, person.id, headers["X-Auth-Token"]]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, cwd=clients, **pipes) as node:
            asked = json.loads(node.stdout.readline())
            code = code_for(browser_of(world, person), key)
            told, _ = node.communicate(f"{code}\n", timeout=60)
    assert (asked["method"], asked["emailOrUsername"]) == ("email", "pat")
    assert json.loads(told) == {"success": True}
    assert not world.has_key(person)

"""Random requests, and chains of them, get the answers that the OpenAPI document promises."""

import re
import subprocess
import sys

import pytest

from tests.kit.live import make_live
from tests.kit.paths import ROOT

pytestmark = pytest.mark.slow
SECONDS = "60"
PEOPLE = 20
SETTINGS = {"FLASK_E2ERESET_SERVER_PUBLIC_URL": "https://chat.example.org"}


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A server with an administrator, more people, and rooms of theirs."""
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from tests.kit.contract import Carol, new_person, new_room

    with make_live(tmp_path_factory.mktemp("contract"), settings=SETTINGS) as live:
        live.user("carol", "admin")
        with live.app() as app:
            headers = Carol(app).headers(bypass=True)
        for _ in range(PEOPLE):
            person = new_person()
            assert live.call("POST", "/api/v1/users.create", headers, person).status == 200
            room = new_room(person["username"])
            assert live.call("POST", "/api/v1/groups.create", headers, room).status == 200
        yield live


@pytest.mark.parametrize("bypass", ["yes", "no"])
def test_the_server_answers_as_its_document_says(live, tmp_path, bypass):
    seen = tmp_path / "seen"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", ".ci/schemathesis.toml"]
    command += ["--no-color", "run", f"{live.url}/api/v1/openapi.json", "--max-time", SECONDS]
    command += ["--generation-database", "none"]
    env = live.env | {"CONTRACT_BYPASS": bypass, "CONTRACT_SEEN": str(seen)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    answers = [line.split(" ", 1) for line in seen.read_text().splitlines()]
    met = {of for _, of in answers}
    done_by = {of for status, of in answers if status.startswith("2")}
    # Most requests are meant to be wrong; but what is never done is never looked at. A busy machine
    # comes less far in the same time.
    assert len(done_by) > len(met) * (0.7 if bypass == "yes" else 0.5), sorted(met - done_by)
    followed, of_all = re.search(r"API Links: +(\d+) covered / (\d+)", done.stdout).groups()
    assert int(followed) * 4 > int(of_all), "too few links were followed"

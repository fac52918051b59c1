"""Two servers over one database: what one changes holds for the next request in the other."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from tests.kit.client import API, LOGOUT, ME, Client
from tests.kit.live import Gunicorn, at_once, make_live

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery"
BY_PASSWORD = {"x-2fa-code": sha256(PASSWORD.encode()).hexdigest(), "x-2fa-method": "password"}
BOB = {"username": "bob"}
LIMITS = ["--action", "reset-e2e-key", "--role", "user", "--from", "127.0.0.0/8"]
LIMITS += ["--per-day", "10", "--until", f"{datetime.now(UTC) + timedelta(30):%Y-%m-%d}"]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    with make_live(tmp_path_factory.mktemp("two")) as live:
        yield live


@pytest.fixture(scope="module")
def other(one):
    """Another gunicorn in the same folder."""
    second = Gunicorn(one.folder, one.settings)
    with second.running():
        yield Client(second.port)


@pytest.fixture(scope="module")
def carol(one):
    """An administrator who proves by the password."""
    carol = one.user("carol", "admin")
    one.cli("user", "password", "carol", "--password-stdin", stdin=PASSWORD)
    one.user("bob")
    carol.headers["X-Auth-Token"] = one.cli("user", "token", "carol")["authToken"]
    carol.headers |= BY_PASSWORD
    return carol


def change(server, path, who, **body):
    answer = server.call("POST", API + path, who.headers, body)
    assert answer.status == 200, answer.body


def refused(server, who, target=BOB):
    """What the reset of this target is refused with; None for a success."""
    return server.call("POST", API + "users.resetE2EKey", who.headers, target).body.get("errorType")


def test_a_permission_that_one_takes_and_gives(one, other, carol):
    permission = {"_id": "edit-other-user-e2ee"}
    assert refused(other, carol) is None
    change(one, "permissions.update", carol, permissions=[permission | {"roles": ["user"]}])
    assert refused(other, carol) == "error-not-allowed"
    change(other, "permissions.update", carol, permissions=[permission | {"roles": ["admin"]}])
    assert refused(one, carol) is None


def test_a_role_that_one_gives_and_takes(one, other, carol):
    ann = one.user("ann")
    one.cli("user", "password", "ann", "--password-stdin", stdin=PASSWORD)
    ann.headers |= BY_PASSWORD | {"X-Auth-Token": one.cli("user", "token", "ann")["authToken"]}
    assert refused(other, ann) == "error-not-allowed"
    change(one, "roles.addUserToRole", carol, roleId="admin", username="ann")
    assert refused(other, ann) is None
    change(other, "roles.removeUserFromRole", carol, roleId="admin", username="ann")
    assert refused(one, ann) == "error-not-allowed"


def test_a_sign_in_and_a_personal_token_that_one_ends(one, other, carol):
    dan = one.user("dan")
    assert other.call("GET", ME, dan.headers).status == 200
    one.call("POST", LOGOUT, dan.headers)
    assert other.call("GET", ME, dan.headers).status == 401
    dan.headers["X-Auth-Token"] = one.cli("user", "token", "dan")["authToken"]
    change(other, "users.logout", carol, userId=dan.id)
    assert one.call("GET", ME, dan.headers).status == 401


def test_an_account_that_one_disables(one, other, carol):
    eve = one.user("eve")
    change(one, "users.setActiveStatus", carol, userId=eve.id, activeStatus=False)
    assert other.call("GET", ME, eve.headers).status == 401


def test_an_eleventh_use_of_a_grant_of_ten_is_refused_whoever_counts(one, other, carol):
    made = one.cli("grant", "add", "carol", "nightly", *LIMITS)
    machine = {"X-User-Id": made["userId"], "X-Auth-Token": made["authToken"]}

    def use(server):
        body = server.call("POST", API + "users.resetE2EKey", machine, BOB).body
        return body.get("errorType") or body.get("error")

    answers = at_once([lambda server=s: use(server) for s in (one, other) for _ in range(25)])
    assert sorted(map(str, answers)) == ["None"] * 10 + ["error-grant-spent"] * 40
    one.cli("grant", "end", "carol", "nightly")
    assert use(other) == "You must be logged in to do this."

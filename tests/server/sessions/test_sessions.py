"""Signing in and out of the server, and who one is, over HTTP."""

import pytest
from sqlalchemy import event
from sqlalchemy.exc import TimeoutError

from e2ereset.server.sessions import routes
from e2ereset.server.sessions.models import Token
from tests.kit.client import LOGIN, LOGOUT, ME
from tests.kit.rows import row
from tests.kit.server import HASHER, NOW
from tests.kit.sign_ins import UNAUTHORIZED, refusal

NOT_SIGNED_IN = refusal("You must be logged in to do this.")
RIGHT = {"user": "bob", "password": "pw"}


def test_a_right_password_signs_in(world, bob):
    answer = world.login()
    assert (answer.status_code, answer.json["success"]) == (200, True)
    assert answer.json["status"] == "success"
    data = answer.json["data"]
    assert (data["userId"], data["me"]["username"]) == (bob.id, "bob")


@pytest.mark.parametrize(
    "body",
    [
        {"username": "BOB"},
        {"email": "bob@X.org"},
        *({"user": user} for user in ("bob@x.org", {"id": "id-of-bob"})),
        {"user": "bob", "code": None},
        {"user": "bob", "password": {"digest": HASHER.digest("pw"), "algorithm": "sha-256"}},
    ],
)
def test_a_user_is_known_by_name_address_and_id(world, bob, body):
    answer = world.client.post(LOGIN, json={"password": "pw"} | body)
    assert answer.json["data"]["userId"] == bob.id


def test_a_form_signs_in(world, bob):
    assert world.client.post(LOGIN, data=RIGHT).status_code == 200


def test_stale_headers_do_not_hinder_a_sign_in(world, bob):
    assert world.login(headers={"X-User-Id": bob.id, "X-Auth-Token": "gone"}).status_code == 200


@row("12.6.3.8", "13.auth.7")
@pytest.mark.parametrize(
    "body",
    [
        {},
        RIGHT | {"password": "no"},
        *(RIGHT | {"user": user} for user in ("eve", "bob\0", {"id": "\ud800"})),
        {"user": "\ud800", "password": "\ud800"},
        *({"resume": token} for token in ("gone", "\ud800")),
    ],
)
def test_every_wrong_sign_in_gets_the_same_answer(world, bob, body):
    answer = world.client.post(LOGIN, json=body)
    assert (answer.status_code, answer.json) == (401, UNAUTHORIZED)


@row("9.2")
@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("code must be string", RIGHT | {"code": 123456}),
        ("code must be string", {"totp": {"code": 123456, "login": RIGHT}}),
        ("user must be string or object", RIGHT | {"user": 1}),
        ("username must be string", {"username": ["bob"], "password": "pw"}),
        ("password must be string or object", RIGHT | {"password": None}),
        ("password must be string or object", {"totp": {"login": RIGHT | {"password": 1}}}),
        ("resume must be string", {"resume": True}),
        ("totp must be object", {"totp": "123456"}),
    ],
)
def test_a_field_of_another_type_is_named(world, field, body):
    answer = world.client.post(LOGIN, json=body)
    assert (answer.status_code, answer.json["error"]) == (400, f"{field} [invalid-params]")


def test_a_live_token_resumes_without_a_second_factor_and_stays(world, totp):
    token = world.login(code=totp.at(NOW)).json["data"]["authToken"]
    assert world.client.post(LOGIN, json={"resume": token}).json["data"]["authToken"] == token
    assert len(world.rows(Token)) == 2  # one was there before


def test_a_sign_in_ends_after_90_days(world, bob, clock):
    data = world.login().json["data"]
    headers = {"X-User-Id": data["userId"], "X-Auth-Token": data["authToken"]}
    clock.now += 90 * 86400 - 1
    assert world.client.get(ME, headers=headers).status_code == 200
    clock.now += 1
    assert world.client.get(ME, headers=headers).json == NOT_SIGNED_IN
    resume = {"resume": data["authToken"]}
    assert world.client.post(LOGIN, json=resume).json == UNAUTHORIZED


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"active": False}, "error-user-is-not-activated"),
        ({"roles": []}, "error-user-has-no-roles"),
    ],
)
def test_who_may_not_sign_in_is_told_after_the_right_password_only(world, facts, why):
    world.person("bob", password="pw", key=False, **facts)
    answer = world.login()
    assert (answer.status_code, answer.json["error"]) == (401, why)
    assert world.login(password="no").json == UNAUTHORIZED


@row("12.6.3.4")
def test_a_second_factor_is_asked_for_after_the_right_password(world, totp):
    answer = world.login()
    details = {"method": "totp", "codeGenerated": False, "availableMethods": ["totp"]}
    assert answer.status_code == 401
    assert answer.json == refusal("totp-required", "TOTP Required") | {"details": details}
    assert len(world.rows(Token)) == 1  # it was there before


def test_a_wrong_password_never_asks_for_a_second_factor(world, totp):
    assert world.login(password="no", code=totp.at(NOW)).json == UNAUTHORIZED


def test_the_right_code_signs_in_wherever_it_stands(world, totp, clock):
    form = {"user": {"username": "bob"}, "password": "pw"}
    for sign_in in (
        lambda code: world.login(code=code),
        lambda code: world.client.post(LOGIN, json={"totp": {"code": code, "login": form}}),
        lambda code: world.login(headers={"x-2fa-code": code, "x-2fa-method": "email"}),
    ):
        assert sign_in(totp.at(clock.now)).status_code == 200
        clock.now += 30


@row("9.25", "9.43")
def test_a_code_signs_in_once(world, totp):
    code = totp.at(NOW)
    assert world.login(code=code).status_code == 200
    answer = world.login(code=code)
    assert (answer.status_code, answer.json["error"]) == (401, "totp-invalid")
    assert answer.json["message"] == "TOTP Invalid"
    assert len(world.rows(Token)) == 2  # one was there before


def test_the_password_is_no_second_factor_of_a_sign_in(world, totp):
    headers = {"x-2fa-code": HASHER.digest("pw"), "x-2fa-method": "password"}
    assert world.login(headers=headers).json["error"] == "totp-invalid"


def test_me_is_whose_token_it_is(world, bob):
    answer = world.client.get(ME, headers=bob.headers)
    assert answer.status_code == 200
    me = answer.json
    assert me["settings"].pop("preferences")["enableAutoAway"] is True
    assert me == {
        "_id": bob.id,
        "name": "bob",
        "username": "bob",
        "type": "user",
        "emails": [{"address": "bob@x.org", "verified": True}],
        "email": "bob@x.org",
        "roles": ["user"],
        "active": True,
        **dict.fromkeys(("status", "statusConnection", "statusDefault"), "online"),
        "utcOffset": 0,
        "createdAt": "2027-01-15T08:00:00.000Z",
        "_updatedAt": "2027-01-15T08:00:00.000Z",
        "settings": {"profile": {}, "calendar": {}},
        "avatarUrl": "/avatar/bob",
        "isOAuthUser": False,
        "services": {"password": {"exists": True}},
        "success": True,
    }


def test_me_names_the_factors_that_are_enabled(world, totp):
    me = world.login(code=totp.at(NOW)).json["data"]["me"]
    assert me["services"] == {"password": {"exists": True}, "totp": {"enabled": True}}


def test_an_address_that_is_not_verified_is_not_ones_email(world):
    ann = world.person("ann", emails=["a@x.org!"], key=False)
    me = world.client.get(ME, headers=ann.headers).json
    assert me["emails"] == [{"address": "a@x.org", "verified": False}]
    assert "email" not in me


@pytest.mark.parametrize("name", ["X-User-Id", "X-Auth-Token"])
@pytest.mark.parametrize("value", [None, "", "x", "é", "x" * 5000])
def test_a_bad_or_missing_header_is_nobody(world, bob, name, value):
    headers = bob.headers | {name: value}
    answer = world.client.get(ME, headers={n: v for n, v in headers.items() if v is not None})
    assert (answer.status_code, answer.json) == (401, NOT_SIGNED_IN)


@row("12.7.4.1")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_signing_out_ends_exactly_that_token(world, bob, method):
    other = world.sign_in(bob.id)
    answer = world.client.open(LOGOUT, method=method, headers=bob.headers)
    assert answer.json["status"] == "success"
    assert answer.json["data"] == {"message": "You've been logged out!"}
    assert world.client.get(ME, headers=bob.headers).status_code == 401
    assert world.client.get(ME, headers=other).status_code == 200


def test_only_who_is_signed_in_signs_out(world):
    answer = world.client.post(LOGOUT)
    assert (answer.status_code, answer.json) == (401, NOT_SIGNED_IN)


@row("12.16.2.5")
def test_no_secret_of_a_sign_in_reaches_the_log(world, totp, caplog):
    caplog.set_level(0)
    code = totp.at(NOW)
    token = world.login(code=code).json["data"]["authToken"]
    world.client.post(LOGIN, json={"resume": token})
    assert not {"pw", code, token} & set(caplog.text.split())


@row("12.11.5.1", "12.7.2.4", "13.auth.6")
def test_every_sign_in_has_a_token_of_256_bits_of_its_own(world, bob):
    tokens = {world.login().json["data"]["authToken"] for _ in range(5)}
    assert [len(token) for token in tokens] == [43] * 5


DAY = 86400


def test_the_use_of_a_sign_in_is_noted_once_a_day(world, bob):
    bob.headers = world.sign_in(bob.id, expires_at=world.clock.now + 9 * DAY)
    made, seen = world.clock.now, []

    def note(*given):
        seen.extend([given[2].split()[0]] if "tokens" in given[2] else [])

    event.listen(world.engine, "before_cursor_execute", note)

    def used(at):
        world.clock.now = at
        seen.clear()
        assert world.client.get(ME, headers=bob.headers).status_code == 200
        told = list(seen)
        return max(row.used_at or 0 for row in world.rows(Token, user_id=bob.id)), told

    assert used(made + DAY - 1) == (0, ["SELECT"])
    assert used(made + DAY) == (made + DAY, ["SELECT", "UPDATE"])
    assert used(made + 2 * DAY - 1)[0] == made + DAY
    assert used(made + 2 * DAY)[0] == made + 2 * DAY


def test_nobody_is_kept_out_because_a_use_could_not_be_noted(world, bob, monkeypatch):
    bob.headers = world.sign_in(bob.id, expires_at=world.clock.now + 9 * DAY)
    world.clock.now += DAY

    def fail(*given):
        raise TimeoutError  # of the pool

    monkeypatch.setattr(routes, "note_use", fail)
    assert world.client.get(ME, headers=bob.headers).status_code == 200

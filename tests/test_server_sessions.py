"""Signing in and out of the server, and who one is, over HTTP."""

import pyotp
import pytest
from server_kit import HASHER, NOW, make_user
from sqlalchemy import event, select

from e2ereset import get_e2ereset
from e2ereset.models import Budget
from e2ereset.passwords import PasswordHasher
from e2ereset.server.models import Token, User
from e2ereset.server.sessions import PASSWORD_TRIES

LOGIN, LOGOUT, ME = "/api/v1/login", "/api/v1/logout", "/api/v1/me"
BOB = "id-of-bob"
UNAUTHORIZED = {
    "success": False,
    "error": "Unauthorized",
    "status": "error",
    "message": "Unauthorized",
}
T = "You must be logged in to do this."
NOT_SIGNED_IN = {"success": False, "error": T, "status": "error", "message": T}
RIGHT = {"user": "bob", "password": "pw"}
WRONG = {"user": "bob", "password": "no"}


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def bob(session):
    """A user with a password and a verified address."""
    user = make_user(session, password_hash=HASHER.hash("pw"), emails=["Bob@x.org"])
    session.commit()
    return user


@pytest.fixture
def totp(app, bob):
    """Bob's TOTP, which he has enrolled."""
    with app.app_context():
        runtime = get_e2ereset()
        with runtime.transactions.read() as session:
            account = app.extensions["e2ereset.server"].accounts.get(session, BOB)
        return pyotp.TOTP(runtime.factors.enrol_totp(account).secret)


def tokens(session):
    session.rollback()
    return session.scalars(select(Token.digest)).all()


def sign_in(client):
    data = client.post(LOGIN, json=RIGHT).json["data"]
    return {"X-User-Id": data["userId"], "X-Auth-Token": data["authToken"]}


def test_a_right_password_signs_in(client, bob):
    answer = client.post(LOGIN, json=RIGHT)
    assert answer.status_code == 200
    assert answer.json["status"] == "success"
    assert answer.json["success"] is True
    assert answer.json["data"]["userId"] == BOB
    assert len(answer.json["data"]["authToken"]) == 43
    assert answer.json["data"]["me"]["username"] == "bob"


def test_every_answer_is_plain_json_that_is_not_stored(client, bob):
    for answer in (client.post(LOGIN, json=RIGHT), client.post(LOGIN), client.get(ME)):
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        {"username": "BOB", "password": "pw"},
        {"email": "bob@X.org", "password": "pw"},
        {"user": "bob@x.org", "password": "pw"},
        {"user": {"id": BOB}, "password": "pw"},
        {"user": "bob", "password": {"digest": HASHER.digest("pw"), "algorithm": "sha-256"}},
    ],
)
def test_a_user_is_known_by_name_address_and_id(client, bob, body):
    assert client.post(LOGIN, json=body).json["data"]["userId"] == BOB


def test_a_form_signs_in(client, bob):
    assert client.post(LOGIN, data=RIGHT).status_code == 200


def test_stale_headers_do_not_hinder_a_sign_in(client, bob):
    stale = {"X-User-Id": BOB, "X-Auth-Token": "gone"}
    assert client.post(LOGIN, json=RIGHT, headers=stale).status_code == 200


def test_only_the_digest_of_the_token_is_stored(client, bob, session):
    token = sign_in(client)["X-Auth-Token"]
    assert token not in tokens(session)


@pytest.mark.parametrize("body", [WRONG, {"user": "eve", "password": "pw"}, {"resume": "gone"}, {}])
def test_every_wrong_sign_in_gets_the_same_answer(client, bob, body):
    answer = client.post(LOGIN, json=body)
    assert (answer.status_code, answer.json) == (401, UNAUTHORIZED)


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"", None),
        (b"", "application/json"),
        (b'{"user": "bob\\u0000", "password": "pw"}', "application/json"),
        (b'{"user": "\\ud800", "password": "\\ud800"}', "application/json"),
        (b'{"user": {"id": "\\ud800"}, "password": "pw"}', "application/json"),
        (b'{"resume": "\\ud800"}', "application/json"),
    ],
)
def test_garbage_is_unauthorized(client, bob, data, content_type):
    answer = client.post(LOGIN, data=data, content_type=content_type)
    assert (answer.status_code, answer.json) == (401, UNAUTHORIZED)


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'"bob"', "application/json"),
        (b"null", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"user": "bob", "password": "pw"}', "text/plain"),
        (b"[" * 100_000, "application/json"),
    ],
)
def test_a_malformed_sign_in_is_400_and_says_so(client, bob, data, content_type):
    answer = client.post(LOGIN, data=data, content_type=content_type)
    assert (answer.status_code, answer.json["errorType"]) == (400, "invalid-params")


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
def test_a_field_of_another_type_is_named(client, bob, field, body):
    answer = client.post(LOGIN, json=body)
    assert answer.status_code == 400
    assert answer.json["error"] == f"{field} [invalid-params]"


def test_a_code_that_is_null_is_no_code(client, bob):
    assert client.post(LOGIN, json=RIGHT | {"code": None}).status_code == 200


def test_a_live_token_resumes_and_stays(client, bob, session):
    headers = sign_in(client)
    answer = client.post(LOGIN, json={"resume": headers["X-Auth-Token"]})
    assert answer.json["data"]["authToken"] == headers["X-Auth-Token"]
    assert len(tokens(session)) == 1


def test_a_resume_needs_no_second_factor(client, bob, totp):
    body = {**RIGHT, "code": totp.at(NOW)}
    token = client.post(LOGIN, json=body).json["data"]["authToken"]
    assert client.post(LOGIN, json={"resume": token}).status_code == 200


def test_a_sign_in_ends_after_90_days(client, bob, clock):
    headers = sign_in(client)
    clock.now += 90 * 86400 - 1
    assert client.get(ME, headers=headers).status_code == 200
    clock.now += 1
    assert client.get(ME, headers=headers).json == NOT_SIGNED_IN
    resume = {"resume": headers["X-Auth-Token"]}
    assert client.post(LOGIN, json=resume).json == UNAUTHORIZED


def test_an_inactive_user_is_told_after_the_right_password_only(client, bob, session):
    bob.active = False
    session.commit()
    answer = client.post(LOGIN, json=RIGHT)
    assert answer.status_code == 401
    assert answer.json["error"] == "error-user-is-not-activated"
    assert client.post(LOGIN, json=WRONG).json == UNAUTHORIZED


def test_a_user_without_roles_is_told(client, session):
    make_user(session, password_hash=HASHER.hash("pw"), roles=[])
    session.commit()
    answer = client.post(LOGIN, json=RIGHT)
    assert (answer.status_code, answer.json["error"]) == (401, "error-user-has-no-roles")


def test_a_second_factor_is_asked_for_after_the_right_password(client, totp, session):
    answer = client.post(LOGIN, json=RIGHT)
    assert answer.status_code == 401
    assert answer.json == {
        "success": False,
        "error": "totp-required",
        "status": "error",
        "details": {"method": "totp", "codeGenerated": False, "availableMethods": ["totp"]},
        "message": "TOTP Required",
    }
    assert tokens(session) == []


def test_a_wrong_password_never_asks_for_a_second_factor(client, totp):
    body = {**WRONG, "code": totp.at(NOW)}
    assert client.post(LOGIN, json=body).json == UNAUTHORIZED


def test_the_right_code_in_the_body_signs_in(client, totp):
    assert client.post(LOGIN, json={**RIGHT, "code": totp.at(NOW)}).status_code == 200


def test_the_right_code_in_the_header_signs_in(client, totp):
    headers = {"x-2fa-code": totp.at(NOW), "x-2fa-method": "email"}
    assert client.post(LOGIN, json=RIGHT, headers=headers).status_code == 200


def test_the_verbatim_form_signs_in(client, totp):
    login = {"user": {"username": "bob"}, "password": "pw"}
    body = {"totp": {"code": totp.at(NOW), "login": login}}
    assert client.post(LOGIN, json=body).status_code == 200


def test_a_code_signs_in_once(client, totp, session):
    body = {**RIGHT, "code": totp.at(NOW)}
    client.post(LOGIN, json=body)
    answer = client.post(LOGIN, json=body)
    assert (answer.status_code, answer.json["error"]) == (401, "totp-invalid")
    assert answer.json["message"] == "TOTP Invalid"
    assert len(tokens(session)) == 1


def test_the_password_is_no_second_factor_of_a_sign_in(client, totp):
    headers = {"x-2fa-code": HASHER.digest("pw"), "x-2fa-method": "password"}
    answer = client.post(LOGIN, json=RIGHT, headers=headers)
    assert answer.json["error"] == "totp-invalid"


def test_wrong_codes_run_into_their_budget(client, totp):
    answers = [client.post(LOGIN, json={**RIGHT, "code": "000000"}) for _ in range(6)]
    assert {answer.status_code for answer in answers} == {401}
    assert [answer.json["error"] for answer in answers[-2:]] == [
        "totp-invalid",
        "totp-max-attempts",
    ]
    assert answers[-1].json["details"]["retryAfter"] == 300


def test_wrong_passwords_run_into_their_budget_unseen(client, bob, clock):
    for _ in range(5):
        client.post(LOGIN, json=WRONG)
    assert client.post(LOGIN, json=RIGHT).json == UNAUTHORIZED
    clock.now += 300
    assert client.post(LOGIN, json=RIGHT).status_code == 200


def test_right_passwords_spend_no_budget(client, bob):
    assert {client.post(LOGIN, json=RIGHT).status_code for _ in range(9)} == {200}


def test_right_passwords_without_a_code_spend_no_budget(client, totp):
    answers = [client.post(LOGIN, json=RIGHT).json["error"] for _ in range(9)]
    assert set(answers) == {"totp-required"}


def test_names_of_one_user_share_one_budget(client, bob, session):
    for name in ("bob", "BOB", "bob@x.org", "bob", "Bob@X.org"):
        client.post(LOGIN, json={"user": name, "password": "no"})
    assert client.post(LOGIN, json=RIGHT).json == UNAUTHORIZED


def test_unknown_names_cost_one_row_and_never_run_out(client, bob, session):
    for number in range(7):
        client.post(LOGIN, json={"user": f"eve{number}", "password": "pw"})
    counted = select(Budget.account_id, Budget.count_1).where(Budget.purpose == PASSWORD_TRIES)
    assert session.execute(counted).all() == [("", 7)]


@pytest.mark.parametrize("name", ["eve", "bob"])
def test_known_and_unknown_names_run_the_same_statements(client, bob, engine, app, name):
    seen = []
    with app.app_context():
        event.listen(
            get_e2ereset().transactions.engine,
            "before_cursor_execute",
            lambda *facts: seen.append(facts[2].split()[0]),
        )
    client.post(LOGIN, json={"user": name, "password": "no"})
    assert seen == ["SELECT", "INSERT", "SELECT"]


def test_a_sign_in_renews_a_hash_of_an_old_cost(client, session):
    make_user(session, password_hash=PasswordHasher(5).hash("pw"))
    session.commit()
    client.post(LOGIN, json=RIGHT)
    session.rollback()
    assert session.scalar(select(User.password_hash)).startswith("$2b$04$")


def test_me_is_whose_token_it_is(client, bob):
    answer = client.get(ME, headers=sign_in(client))
    assert answer.status_code == 200
    assert answer.json == {
        "_id": BOB,
        "name": "bob",
        "username": "bob",
        "emails": [{"address": "Bob@x.org", "verified": True}],
        "email": "Bob@x.org",
        "roles": ["user"],
        "active": True,
        "settings": {"profile": {}, "preferences": {}, "calendar": {}},
        "avatarUrl": "/avatar/bob",
        "isOAuthUser": False,
        "services": {"password": {"exists": True}},
        "success": True,
    }


def test_me_names_the_factors_that_are_enabled(client, totp):
    headers = {"x-2fa-code": totp.at(NOW)}
    me = client.post(LOGIN, json=RIGHT, headers=headers).json["data"]["me"]
    assert me["services"] == {"password": {"exists": True}, "totp": {"enabled": True}}


def test_an_address_that_is_not_verified_is_not_ones_email(client, session):
    make_user(session, password_hash=HASHER.hash("pw"), emails=["b@x.org!"])
    session.commit()
    me = client.post(LOGIN, json=RIGHT).json["data"]["me"]
    assert me["emails"] == [{"address": "b@x.org", "verified": False}]
    assert "email" not in me


@pytest.mark.parametrize("name", ["X-User-Id", "X-Auth-Token"])
@pytest.mark.parametrize("value", [None, "", "x", "é", "x" * 5000])
def test_a_bad_or_missing_header_is_nobody(client, bob, name, value):
    headers = {**sign_in(client), name: value}
    answer = client.get(
        ME, headers={key: text for key, text in headers.items() if text is not None}
    )
    assert (answer.status_code, answer.json) == (401, NOT_SIGNED_IN)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_signing_out_ends_exactly_that_token(client, bob, method):
    first, second = sign_in(client), sign_in(client)
    answer = client.open(LOGOUT, method=method, headers=first)
    assert answer.json["status"] == "success"
    assert answer.json["data"] == {"message": "You've been logged out!"}
    assert client.get(ME, headers=first).status_code == 401
    assert client.get(ME, headers=second).status_code == 200


def test_only_who_is_signed_in_signs_out(client, bob):
    answer = client.post(LOGOUT)
    assert (answer.status_code, answer.json) == (401, NOT_SIGNED_IN)


def test_the_rate_of_sign_ins_is_limited(make_server, config, engine):
    client = make_server({**config, "RATELIMIT_ENABLED": True}).test_client()
    answers = [client.post(LOGIN, json=WRONG).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


def test_no_secret_of_a_sign_in_reaches_the_log(client, totp, caplog):
    caplog.set_level(0)
    code = totp.at(NOW)
    token = client.post(LOGIN, json={**RIGHT, "code": code}).json["data"]["authToken"]
    client.post(LOGIN, json={"resume": token})
    assert not {"pw", code, token} & set(caplog.text.split())

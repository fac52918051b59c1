"""Signing in and out of the server, and who one is, over HTTP."""

import json

import pyotp
import pytest
from sqlalchemy import event, select, update

from e2ereset import Account, get_e2ereset
from e2ereset.factors.models import Budget
from e2ereset.jobs.models import Job
from e2ereset.server.people.accounts import get_account
from e2ereset.server.sessions.login_budgets import PASSWORD_TRIES
from e2ereset.server.sessions.models import KnownAddress, Token
from e2ereset.server.sessions.service import current_sessions
from tests.kit.rows import row
from tests.kit.server import HASHER, NOW, make_user

LOGIN, LOGOUT, ME = "/api/v1/login", "/api/v1/logout", "/api/v1/me"
BOB = "id-of-bob"


def refusal(error, message=None):
    """The body of a refused sign-in."""
    said = {"success": False, "error": error, "status": "error"}
    return said | {"message": message or error}


UNAUTHORIZED = refusal("Unauthorized")
BLOCKED = refusal("error-login-blocked-for-user", "Login has been temporarily blocked For User")
NOT_SIGNED_IN = refusal("You must be logged in to do this.")
ELSEWHERE = "203.0.113.9"
AWAY = {"REMOTE_ADDR": ELSEWHERE}
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
            account = get_account(session, BOB)
        return pyotp.TOTP(runtime.factors.enrol_totp(account).secret)


def tokens(session):
    session.rollback()
    return session.scalars(select(Token.digest)).all()


def fail(client, *names, address="127.0.0.1"):
    """Sign in with a wrong password by each of these names; the answers."""
    address = {"REMOTE_ADDR": address}
    bodies = [{"user": name, "password": "no"} for name in names]
    return [client.post(LOGIN, json=body, environ_base=address) for body in bodies]


def strangers(number):
    """As many names that nobody has."""
    return [f"eve{each}" for each in range(number)]


def failures_of_address(session):
    """What the budgets of addresses have counted."""
    return session.scalars(select(Budget.count_1).where(Budget.purpose == "login:address")).all()


def sign_in(client):
    data = client.post(LOGIN, json=RIGHT).json["data"]
    return {"X-User-Id": data["userId"], "X-Auth-Token": data["authToken"]}


def test_a_right_password_signs_in(client, bob):
    answer = client.post(LOGIN, json=RIGHT)
    data = answer.json["data"]
    assert (answer.status_code, answer.json["success"]) == (200, True)
    assert answer.json["status"] == "success"
    assert (data["userId"], data["me"]["username"], len(data["authToken"])) == (BOB, "bob", 43)


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
        {"user": "bob", "password": "pw", "code": None},
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


@row("12.6.3.8", "13.auth.7")
@pytest.mark.parametrize("body", [WRONG, {"user": "eve", "password": "pw"}, {"resume": "gone"}, {}])
def test_every_wrong_sign_in_gets_the_same_answer(client, bob, body):
    answer = client.post(LOGIN, json=body)
    assert (answer.status_code, answer.json) == (401, UNAUTHORIZED)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"user": "bob\\u0000", "password": "pw"}',
        b'{"user": "\\ud800", "password": "\\ud800"}',
        b'{"user": {"id": "\\ud800"}, "password": "pw"}',
        b'{"resume": "\\ud800"}',
    ],
)
def test_garbage_is_unauthorized(client, bob, data):
    answer = client.post(LOGIN, data=data, content_type="application/json")
    assert (answer.status_code, answer.json) == (401, UNAUTHORIZED)


@pytest.mark.parametrize("data", [b"{", b"[]", b'"bob"', b"null", b"\xff\xfe", b"[" * 100_000])
def test_a_malformed_sign_in_is_400_and_says_so(client, bob, data):
    answer = client.post(LOGIN, data=data, content_type="application/json")
    assert (answer.status_code, answer.json["errorType"]) == (400, "invalid-params")


def test_a_sign_in_in_plain_text_is_400(client, bob):
    assert client.post(LOGIN, data=json.dumps(RIGHT), content_type="text/plain").status_code == 400


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
def test_a_field_of_another_type_is_named(client, bob, field, body):
    answer = client.post(LOGIN, json=body)
    assert answer.status_code == 400
    assert answer.json["error"] == f"{field} [invalid-params]"


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


@row("12.6.3.4")
def test_a_second_factor_is_asked_for_after_the_right_password(client, totp, session):
    answer = client.post(LOGIN, json=RIGHT)
    details = {"method": "totp", "codeGenerated": False, "availableMethods": ["totp"]}
    assert answer.status_code == 401
    assert answer.json == refusal("totp-required", "TOTP Required") | {"details": details}
    assert tokens(session) == []


def test_a_wrong_password_never_asks_for_a_second_factor(client, totp):
    body = {**WRONG, "code": totp.at(NOW)}
    assert client.post(LOGIN, json=body).json == UNAUTHORIZED


def test_the_right_code_signs_in_wherever_it_stands(client, totp, clock):
    verbatim = {"user": {"username": "bob"}, "password": "pw"}
    for body, header in (
        (lambda code: RIGHT | {"code": code}, False),
        (lambda code: {"totp": {"code": code, "login": verbatim}}, False),
        (lambda code: RIGHT, True),
    ):
        code = totp.at(clock.now)
        headers = {"x-2fa-code": code, "x-2fa-method": "email"} if header else {}
        assert client.post(LOGIN, json=body(code), headers=headers).status_code == 200
        clock.now += 30


@row("9.25", "9.43")
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
    answers = [client.post(LOGIN, json=RIGHT | {"code": "000000"}) for _ in range(6)]
    said = [(answer.status_code, answer.json["error"]) for answer in answers[-2:]]
    assert said == [(401, "totp-invalid"), (401, "totp-max-attempts")]
    assert answers[-1].json["details"]["retryAfter"] == 300


@pytest.mark.parametrize("name", ["bob", "eve", "bob@x.org", "eve@x.org"])
def test_a_spent_budget_is_said_for_known_and_unknown_names_alike(client, bob, name):
    answers = fail(client, *[name] * 7)
    assert [answer.json for answer in answers] == [UNAUTHORIZED] * 5 + [BLOCKED] * 2
    assert answers[-1].status_code == 401
    assert answers[-1].headers["Retry-After"] == "300"


def test_right_passwords_spend_no_budget(client, bob):
    assert {client.post(LOGIN, json=RIGHT).status_code for _ in range(9)} == {200}


def test_right_passwords_without_a_code_spend_no_budget(client, totp):
    answers = [client.post(LOGIN, json=RIGHT).json["error"] for _ in range(9)]
    assert set(answers) == {"totp-required"}


@row("9.17")
@pytest.mark.parametrize("names", [("bob",) * 5, ("bob", "BOB", "bob@x.org", "bob", "Bob@X.org")])
def test_names_of_one_user_share_one_budget(client, bob, clock, names):
    fail(client, *names)
    assert client.post(LOGIN, json=RIGHT).status_code == 401
    clock.now += 300
    assert client.post(LOGIN, json=RIGHT).status_code == 200


@pytest.mark.parametrize("who", ["bob", "eve"])
def test_the_answers_do_not_tell_which_names_are_of_one_user(client, bob, who):
    answers = fail(client, *[who, f"{who}@x.org", {"id": f"id-of-{who}"}] * 6)
    assert [answer.json for answer in answers] == [UNAUTHORIZED] * 15 + [BLOCKED] * 3


def test_spellings_of_an_unknown_name_share_one_budget(client, bob):
    spellings = ("\u00c9ve", "E\u0301ve", "\u00e9VE", "e\u0301ve", "\u00c9VE", "\u00e9ve")
    assert fail(client, *spellings)[-1].json == BLOCKED


def test_no_name_that_was_typed_is_stored(client, session):
    fail(client, "my secret password")
    assert "secret" not in str(session.execute(select(Budget.account_id)).all())


def test_too_many_failures_from_one_address_are_refused(client, bob):
    fail(client, *strangers(20))
    answer = client.post(LOGIN, json=RIGHT)
    said = refusal("error-login-blocked-for-ip", "Login has been temporarily blocked For IP")
    assert (answer.status_code, answer.json) == (401, said)
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert client.post(LOGIN, json=RIGHT, environ_base=AWAY).status_code == 200


def test_an_ipv6_network_is_one_address(client, bob):
    for number, name in enumerate(strangers(20), 1):
        fail(client, name, address=f"2001:db8::{number:x}")
    (near,) = fail(client, "bob", address="2001:db8::ffff")
    assert near.json["error"] == "error-login-blocked-for-ip"
    assert fail(client, "bob", address="2001:db8:0:1::1")[0].json == UNAUTHORIZED


def test_a_success_takes_back_its_own_charge_of_the_address_only(client, bob, session):
    fail(client, *strangers(7))
    client.post(LOGIN, json=RIGHT)
    assert failures_of_address(session) == [7]


@pytest.mark.parametrize("known", [True, False])
def test_wrong_second_factors_are_failures_of_where_the_owner_has_not_been(
    client, totp, session, known
):
    codes = ["000000", "000001", totp.at(NOW)]
    for code in reversed(codes) if known else codes:
        client.post(LOGIN, json=RIGHT | {"code": code})
    assert failures_of_address(session) == [0 if known else 2]


def test_what_is_refused_for_its_name_takes_nothing_of_the_address(client, bob):
    fail(client, *["eve"] * 30)
    assert client.post(LOGIN, json=RIGHT).status_code == 200


@row("13.auth.4")
def test_strangers_do_not_keep_the_owner_out_of_where_they_have_been(client, bob):
    sign_in(client)
    fail(client, *["bob"] * 7, address=ELSEWHERE)
    assert client.post(LOGIN, json=RIGHT, environ_base=AWAY).json == BLOCKED
    assert client.post(LOGIN, json=RIGHT).status_code == 200


def test_failures_at_other_names_do_not_keep_the_owner_out_of_where_they_have_been(client, bob):
    sign_in(client)
    fail(client, *strangers(21))
    assert client.post(LOGIN, json=RIGHT).status_code == 200


def test_an_address_is_the_owners_for_thirty_days(client, bob, clock, session):
    sign_in(client)
    assert session.scalars(select(KnownAddress.network)).all() == ["127.0.0.1"]
    clock.now += 30 * 86400
    fail(client, *["bob"] * 5, address=ELSEWHERE)
    assert client.post(LOGIN, json=RIGHT).status_code == 401


def test_where_the_owner_has_been_tries_run_out_too(client, bob):
    sign_in(client)
    answers = fail(client, *["bob"] * 6)
    assert [answer.json for answer in answers] == [UNAUTHORIZED] * 5 + [BLOCKED]
    assert client.post(LOGIN, json=RIGHT, environ_base=AWAY).status_code == 200


def test_an_address_is_known_by_a_whole_sign_in_only(client, totp, session):
    client.post(LOGIN, json=RIGHT)
    client.post(LOGIN, json={**RIGHT, "code": "000000"})
    assert session.scalars(select(KnownAddress.network)).all() == []
    session.rollback()
    assert client.post(LOGIN, json={**RIGHT, "code": totp.at(NOW)}).status_code == 200
    assert session.scalars(select(KnownAddress.network)).all() == ["127.0.0.1"]


def test_a_hundred_wrong_passwords_in_a_row_lock_out_strangers_and_not_the_owner(
    client, bob, session, app
):
    sign_in(client)
    client.post(LOGIN, json=WRONG, environ_base=AWAY)
    session.execute(update(Budget).where(Budget.purpose == PASSWORD_TRIES).values(failures=99))
    session.commit()
    client.post(LOGIN, json=WRONG, environ_base=AWAY)
    assert client.post(LOGIN, json=RIGHT, environ_base=AWAY).json == UNAUTHORIZED
    assert client.post(LOGIN, json=RIGHT).status_code == 200
    locked = select(Job.recipient).where(Job.kind == "factor-locked")
    assert session.scalars(locked).all() == ["Bob@x.org"]
    with app.app_context():
        factors = get_e2ereset().factors
        assert factors.status(BOB).locked == (PASSWORD_TRIES,)
        factors.unlock(Account(id=BOB, username="bob"), by="operator:root")
    assert client.post(LOGIN, json=RIGHT, environ_base=AWAY).status_code == 200


@row("9.29")
@pytest.mark.parametrize("spent", ["name", "account", "address", "own"])
def test_a_refused_sign_in_costs_a_hash_like_any_other(client, app, bob, monkeypatch, spent):
    hashed = []
    hasher = current_sessions(app).hasher
    if spent == "own":
        sign_in(client)
    for number in range(20 if spent == "address" else 5):
        name = {"address": f"eve{number}", "account": ("bob@x.org", "bob")[number % 2]}
        client.post(LOGIN, json={"user": name.get(spent, "bob"), "password": "no"})
    monkeypatch.setattr(hasher, "_timed", lambda *_: hashed.append(1))
    assert client.post(LOGIN, json=WRONG).status_code == 401
    assert hashed == [1]


LAST = ["SELECT", "SELECT", *["INSERT"] * 3, "SELECT", "INSERT", "INSERT"]
REFUSED = ["SELECT", "SELECT", "INSERT", "INSERT", "SELECT"]


def statements(app):
    """The first words of the statements from now on."""
    engine, seen = get_e2ereset(app).transactions.engine, []
    event.listen(engine, "before_cursor_execute", lambda *it: seen.append(it[2].split()[0]))
    return seen


@row("9.29")
@pytest.mark.parametrize("name", ["eve", "bob"])
@pytest.mark.parametrize("before", [0, 4])
def test_known_and_unknown_names_run_the_same_statements(client, bob, app, name, before):
    fail(client, "somebody", *[name] * before)  # it connects first
    seen = statements(app)
    fail(client, name, name)
    assert seen == LAST + (REFUSED if before else LAST)


@pytest.mark.parametrize("name", ["eve", "bob"])
def test_an_account_that_is_spent_by_its_other_names_runs_the_same_statements(
    client, bob, app, name
):
    fail(client, *[{"id": BOB}] * 4 if name == "bob" else strangers(4))
    seen = statements(app)
    fail(client, name)
    assert seen == LAST


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
    headers = sign_in(client) | {name: value}
    if value is None:
        del headers[name]
    answer = client.get(ME, headers=headers)
    assert (answer.status_code, answer.json) == (401, NOT_SIGNED_IN)


@row("12.7.4.1")
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


@row("12.16.2.5")
def test_no_secret_of_a_sign_in_reaches_the_log(client, totp, caplog):
    caplog.set_level(0)
    code = totp.at(NOW)
    token = client.post(LOGIN, json={**RIGHT, "code": code}).json["data"]["authToken"]
    client.post(LOGIN, json={"resume": token})
    assert not {"pw", code, token} & set(caplog.text.split())


@row("12.11.5.1", "12.7.2.4", "13.auth.6")
def test_every_sign_in_has_a_token_of_256_bits_of_its_own(client, bob):
    tokens = {client.post(LOGIN, json=RIGHT).json["data"]["authToken"] for _ in range(5)}
    assert len(tokens) == 5
    assert min(map(len, tokens)) >= 43

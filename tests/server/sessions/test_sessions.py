"""Signing in and out of the server, and who one is, over HTTP."""

import pytest
from sqlalchemy import event, update

from e2ereset.factors.models import Budget
from e2ereset.server.sessions.login_budgets import PASSWORD_TRIES
from e2ereset.server.sessions.models import KnownAddress, Token
from e2ereset.server.sessions.service import current_sessions
from tests.kit.client import LOGIN, LOGOUT, ME
from tests.kit.rows import row
from tests.kit.server import HASHER, NOW


def refusal(error, message=None):
    """The body of a refused sign-in."""
    return {"success": False, "error": error, "status": "error", "message": message or error}


UNAUTHORIZED = refusal("Unauthorized")
BLOCKED = refusal("error-login-blocked-for-user", "Login has been temporarily blocked For User")
NOT_SIGNED_IN = refusal("You must be logged in to do this.")
ELSEWHERE = "203.0.113.9"
RIGHT, WRONG = {"user": "bob", "password": "pw"}, {"user": "bob", "password": "no"}


@pytest.fixture
def bob(world):
    """A user with a password and a verified address."""
    return world.person("bob", password="pw", key=False)


@pytest.fixture
def totp(world):
    """The TOTP of a bob with a password, too."""
    return world.person("bob", password="pw", totp=True, key=False).totp


def fail(world, *names, address="127.0.0.1"):
    """Sign in with a wrong password by each of these names; the bodies of the answers."""
    return [world.login(name, "no", address=address).json for name in names]


STRANGERS = [f"eve{each}" for each in range(21)]  # names that nobody has


def known_addresses(world):
    return [known.network for known in world.rows(KnownAddress)]


def failures_of_address(world):
    """What the budgets of addresses have counted."""
    return [budget.count_1 for budget in world.rows(Budget, purpose="login:address")]


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
        {"user": "bob@x.org"},
        {"user": {"id": "id-of-bob"}},
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
        WRONG,
        RIGHT | {"user": "eve"},
        {"resume": "gone"},
        {},
        RIGHT | {"user": "bob\0"},
        {"user": "\ud800", "password": "\ud800"},
        RIGHT | {"user": {"id": "\ud800"}},
        {"resume": "\ud800"},
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
    assert fail(world, "bob") == [UNAUTHORIZED]


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
    verbatim = {"user": {"username": "bob"}, "password": "pw"}
    for body, header in (
        (lambda code: RIGHT | {"code": code}, False),
        (lambda code: {"totp": {"code": code, "login": verbatim}}, False),
        (lambda code: RIGHT, True),
    ):
        code = totp.at(clock.now)
        headers = {"x-2fa-code": code, "x-2fa-method": "email"} if header else {}
        assert world.client.post(LOGIN, json=body(code), headers=headers).status_code == 200
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


def test_wrong_codes_run_into_their_budget(world, totp):
    answers = [world.login(code="000000").json for _ in range(6)]
    assert [said["error"] for said in answers] == ["totp-invalid"] * 5 + ["totp-max-attempts"]
    assert answers[-1]["details"]["retryAfter"] == 300


@pytest.mark.parametrize("name", ["bob", "eve", "bob@x.org", "eve@x.org"])
def test_a_spent_budget_is_said_for_known_and_unknown_names_alike(world, bob, name):
    assert fail(world, *[name] * 6) == [UNAUTHORIZED] * 5 + [BLOCKED]
    answer = world.login(name, "no")
    assert (answer.status_code, answer.json, answer.headers["Retry-After"]) == (401, BLOCKED, "300")


def test_right_passwords_spend_no_budget(world, bob):
    assert {world.login().status_code for _ in range(9)} == {200}


def test_right_passwords_without_a_code_spend_no_budget(world, totp):
    assert {world.login().json["error"] for _ in range(9)} == {"totp-required"}


@row("9.17")
@pytest.mark.parametrize("names", [("bob",) * 5, ("bob", "BOB", "bob@x.org", "bob", "Bob@X.org")])
def test_names_of_one_user_share_one_budget(world, bob, clock, names):
    fail(world, *names)
    assert world.login().status_code == 401
    clock.now += 300
    assert world.login().status_code == 200


@pytest.mark.parametrize("who", ["bob", "eve"])
def test_the_answers_do_not_tell_which_names_are_of_one_user(world, bob, who):
    answers = fail(world, *[who, f"{who}@x.org", {"id": f"id-of-{who}"}] * 6)
    assert answers == [UNAUTHORIZED] * 15 + [BLOCKED] * 3


def test_spellings_of_an_unknown_name_share_one_budget(world):
    spellings = ("\u00c9ve", "E\u0301ve", "\u00e9VE", "e\u0301ve", "\u00c9VE", "\u00e9ve")
    assert fail(world, *spellings)[-1] == BLOCKED


def test_no_name_that_was_typed_is_stored(world):
    fail(world, "my secret password")
    assert not [budget for budget in world.rows(Budget) if "secret" in budget.account_id]


def test_too_many_failures_from_one_address_are_refused(world, bob):
    fail(world, *STRANGERS[:20])
    answer = world.login()
    said = refusal("error-login-blocked-for-ip", "Login has been temporarily blocked For IP")
    assert (answer.status_code, answer.json) == (401, said)
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert world.login(address=ELSEWHERE).status_code == 200


def test_an_ipv6_network_is_one_address(world):
    for number, name in enumerate(STRANGERS[:20], 1):
        fail(world, name, address=f"2001:db8::{number:x}")
    (near,) = fail(world, "bob", address="2001:db8::ffff")
    assert near["error"] == "error-login-blocked-for-ip"
    assert fail(world, "bob", address="2001:db8:0:1::1") == [UNAUTHORIZED]


def test_a_success_takes_back_its_own_charge_of_the_address_only(world, bob):
    fail(world, *STRANGERS[:7])
    world.login()
    assert failures_of_address(world) == [7]


@pytest.mark.parametrize("known", [True, False])
def test_wrong_second_factors_are_failures_of_where_the_owner_has_not_been(world, totp, known):
    codes = ["000000", "000001", totp.at(NOW)]
    for code in reversed(codes) if known else codes:
        world.login(code=code)
    assert failures_of_address(world) == [0 if known else 2]


def test_what_is_refused_for_its_name_takes_nothing_of_the_address(world, bob):
    fail(world, *["eve"] * 30)
    assert world.login().status_code == 200


@row("13.auth.4")
def test_strangers_do_not_keep_the_owner_out_of_where_they_have_been(world, bob):
    world.login()
    fail(world, *["bob"] * 7, address=ELSEWHERE)
    assert world.login(address=ELSEWHERE).json == BLOCKED
    assert world.login().status_code == 200


def test_failures_at_other_names_do_not_keep_the_owner_out_of_where_they_have_been(world, bob):
    world.login()
    fail(world, *STRANGERS)
    assert world.login().status_code == 200


def test_an_address_is_the_owners_for_thirty_days(world, bob, clock):
    world.login()
    clock.now += 30 * 86400
    fail(world, *["bob"] * 5, address=ELSEWHERE)
    assert world.login().status_code == 401


def test_where_the_owner_has_been_tries_run_out_too(world, bob):
    world.login()
    assert fail(world, *["bob"] * 6) == [UNAUTHORIZED] * 5 + [BLOCKED]
    assert world.login(address=ELSEWHERE).status_code == 200


def test_an_address_is_known_by_a_whole_sign_in_only(world, totp):
    world.login()
    world.login(code="000000")
    assert known_addresses(world) == []
    world.login(code=totp.at(NOW))
    assert known_addresses(world) == ["127.0.0.1"]


def test_a_hundred_wrong_passwords_in_a_row_lock_out_strangers_and_not_the_owner(world, bob):
    world.login()
    fail(world, "bob", address=ELSEWHERE)
    world.session.execute(
        update(Budget).where(Budget.purpose == PASSWORD_TRIES).values(failures=99)
    )
    world.session.commit()
    fail(world, "bob", address=ELSEWHERE)
    assert world.login(address=ELSEWHERE).json == UNAUTHORIZED
    assert world.login().status_code == 200
    assert [to for to, _ in world.queued("factor-locked")] == ["bob@x.org"]
    factors = world.runtime.factors
    assert factors.status(bob.id).locked == (PASSWORD_TRIES,)
    factors.unlock(world.account(bob), by="operator:root")
    assert world.login(address=ELSEWHERE).status_code == 200


@row("9.29")
@pytest.mark.parametrize("spent", ["name", "account", "address", "own"])
def test_a_refused_sign_in_costs_a_hash_like_any_other(world, bob, monkeypatch, spent):
    if spent == "own":
        world.login()
    names = {"address": STRANGERS[:20], "account": ["bob@x.org", "bob"] * 3}
    fail(world, *names.get(spent, ["bob"] * 5))
    hashed = []
    hasher = current_sessions(world.app).hasher
    monkeypatch.setattr(hasher, "_timed", lambda *_: hashed.append(1))
    assert world.login(password="no").status_code == 401
    assert hashed == [1]


LAST = ["SELECT", "SELECT", *["INSERT"] * 3, "SELECT", "INSERT", "INSERT"]
REFUSED = ["SELECT", "SELECT", "INSERT", "INSERT", "SELECT"]


def statements(world):
    """The first words of the statements from now on."""
    engine, seen = world.runtime.transactions.engine, []
    event.listen(engine, "before_cursor_execute", lambda *it: seen.append(it[2].split()[0]))
    return seen


@row("9.29")
@pytest.mark.parametrize("name", ["eve", "bob"])
@pytest.mark.parametrize("before", [0, 4])
def test_known_and_unknown_names_run_the_same_statements(world, bob, name, before):
    fail(world, "somebody", *[name] * before)  # it connects first
    seen = statements(world)
    fail(world, name, name)
    assert seen == LAST + (REFUSED if before else LAST)


@pytest.mark.parametrize("name", ["eve", "bob"])
def test_an_account_that_is_spent_by_its_other_names_runs_the_same_statements(world, bob, name):
    fail(world, *[{"id": bob.id}] * 4 if name == "bob" else STRANGERS[:4])
    seen = statements(world)
    fail(world, name)
    assert seen == LAST


def test_me_is_whose_token_it_is(world, bob):
    answer = world.client.get(ME, headers=bob.headers)
    assert answer.status_code == 200
    assert answer.json == {
        "_id": bob.id,
        "name": "bob",
        "username": "bob",
        "emails": [{"address": "bob@x.org", "verified": True}],
        "email": "bob@x.org",
        "roles": ["user"],
        "active": True,
        "settings": {"profile": {}, "preferences": {}, "calendar": {}},
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
    if value is None:
        del headers[name]
    answer = world.client.get(ME, headers=headers)
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


def test_the_rate_of_sign_ins_is_limited(world, make_server, config):
    limited = world.through(make_server({**config, "RATELIMIT_ENABLED": True}))
    answers = [limited.login().status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


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

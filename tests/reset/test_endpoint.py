"""`POST users.resetE2EKey` on the wire, to the byte: SPEC 1."""

import json

import pytest

from e2ereset.audit.models import AuditRow
from e2ereset.factors.models import BackupCode, Totp
from e2ereset.http import Gates
from tests.kit.client import RESET, SET_KEYS
from tests.kit.rows import row
from tests.kit.world import break_table, sha256

UNAUTHORIZED = (
    b'{"success":false,"error":"You must be logged in to do this.","status":"error",'
    b'"message":"You must be logged in to do this."}'
)
NOT_ALLOWED = (
    b'{"success":false,"error":"Not allowed [error-not-allowed]","errorType":"error-not-allowed"}'
)
UNKNOWN = (
    b'{"success":false,"error":"The required \\"userId\\" or \\"username\\" param provided does not'
    b' match any users [error-invalid-user]","errorType":"error-invalid-user"}'
)
PASSWORD_REQUIRED = (
    b'{"success":false,"error":"TOTP Required [totp-required]","errorType":"totp-required",'
    b'"details":{"method":"password","codeGenerated":false,"availableMethods":[]}}'
)
MALFORMED = ("{broken", "[]", '"bob"', "null", "1", " ", "userId=bob", '{"name":"bob"}')
MALFORMED += ('{"userId":1}', '{"userId":{"$ne":"x"}}', '{"username":true}', '{"userId":"a"')
MALFORMED += ('{"userId":"a","userId":"b"}', '{"userId":"\\u0000"}', '{"username":"\\ud800"}')
MALFORMED += ('{"username":' + "9" * 5000 + "}",)
OTHER = {"public_key": "P", "private_key": "W"}


def assert_invalid(response):
    assert response.status_code == 400
    assert response.json["errorType"] == "invalid-params"
    assert response.json["error"].endswith(" [invalid-params]")


@row("13.forgot.9")
def test_success_is_nothing_but_success(world, bob):
    response = world.reset(bob, code=world.code(bob))
    assert (response.status_code, response.data) == (200, b'{"success":true}')
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-User-Id": "id-of-bob"},
        {"X-Auth-Token": "x"},
        {"X-User-Id": "id-of-bob", "X-Auth-Token": "x" * 43},
        {"X-User-Id": "id-of-bob", "X-Auth-Token": "x" * 5000},
        {"X-User-Id": "\xe4", "X-Auth-Token": "\xff"},
    ],
)
def test_without_a_live_token_it_is_401(world, bob, headers):
    response = world.client.post(RESET, headers=headers)
    assert (response.status_code, response.data) == (401, UNAUTHORIZED)
    assert response.headers["Content-Type"] == "application/json"


@row("9.22")
def test_the_token_of_another_user_is_401(world, bob, admin):
    headers = {"X-User-Id": admin.id, "X-Auth-Token": bob.headers["X-Auth-Token"]}
    assert world.client.post(RESET, headers=headers).status_code == 401


@pytest.mark.parametrize("query", ["\xff=1", "%ff", "a&&=;", "\xe2\x82"])
def test_an_address_that_nobody_can_decode_is_no_fault(world, bob, query):
    answer = world.reset(bob, environ_overrides={"QUERY_STRING": query})
    assert answer.json["errorType"] == "totp-required"


@pytest.mark.parametrize("field", ["userId", "username", "user"])
def test_a_target_in_the_address_is_never_an_own_reset(world, bob, field):
    for options in ({}, {"json": {}}, {"json": {field: "bob"}}):
        query = {field: "sue"}
        answer = world.reset(bob, code=world.code(bob), query_string=query, **options)
        assert_invalid(answer)
    assert world.has_key(bob)


@row("9.2", "9.24")
@pytest.mark.parametrize("data", MALFORMED)
def test_a_malformed_body_is_400_and_never_an_own_reset(world, bob, data):
    headers = {"Content-Type": "application/json"}
    assert_invalid(world.reset(bob, code=world.code(bob), data=data, headers=headers))
    assert world.has_key(bob)


@pytest.mark.parametrize("key", ["userId", "username", "user"])
@pytest.mark.parametrize("value", ["", "  ", None])
def test_a_blank_target_is_never_ones_own(world, bob, key, value):
    response = world.reset(bob, {key: value}, code=world.code(bob))
    assert response.status_code == 400
    assert response.json["errorType"] == "error-user-param-not-provided"
    assert world.has_key(bob)


@row("12.6.4.6", "12.7.4.5")
@pytest.mark.parametrize(
    "options",
    [
        {"json": {"userId": "id-of-bob"}},
        {"json": {"username": "BOB"}},
        {"json": {"user": "bob"}},
        {"json": {"username": "root", "userId": "id-of-bob"}},
        {"data": {"username": "bob"}},
    ],
)
def test_an_administrator_resets_a_named_user(world, admin, bob, options):
    assert world.reset(admin, code=world.code(admin), **options).status_code == 200
    assert (world.has_key(admin), world.has_key(bob)) == (True, False)
    assert (world.tokens(admin), world.tokens(bob)) == (1, 0)


@row("9.41")
@pytest.mark.parametrize("body", [{"userId": "id-of-bob"}, {"username": "BoB"}])
def test_naming_oneself_is_an_own_reset_without_the_permission(world, bob, body):
    assert world.reset(bob, body, code=world.code(bob)).status_code == 200


@row("12.6.3.8", "12.8.2.1")
@pytest.mark.parametrize("name", ["root", "nobody"])
def test_without_the_permission_nothing_is_said_of_who_exists(world, bob, admin, name):
    response = world.reset(bob, {"username": name}, code=world.code(bob))
    assert (response.status_code, response.data) == (400, NOT_ALLOWED)
    assert world.has_key(admin)


@pytest.mark.parametrize(("first", "then"), [("userId", "username"), ("username", "user")])
def test_the_first_target_wins_in_the_order_user_id_username_user(world, admin, bob, first, then):
    name = {"userId": bob.id, "username": "bob"}[first]
    assert (
        world.reset(admin, {then: "root", first: name}, code=world.code(admin)).status_code == 200
    )
    assert (world.has_key(admin), world.has_key(bob)) == (True, False)


def test_an_unknown_target_is_told_to_who_may_know(world, admin):
    response = world.reset(admin, {"username": "nobody"}, code=world.code(admin))
    assert (response.status_code, response.data) == (400, UNKNOWN)


@row("12.6.4.3")
def test_the_second_factor_comes_before_the_permission(world, bob):
    response = world.reset(bob, {"username": "nobody"})
    assert response.json["errorType"] == "totp-required"


def test_the_fallback_asks_as_the_documentation_shows(world):
    carol = world.person("carol", password="pw")
    response = world.reset(carol)
    assert (response.status_code, response.data) == (400, PASSWORD_REQUIRED)
    assert world.reset(carol, code=sha256("pw").upper()).status_code == 200


@row("9.41", "10.12")
def test_a_federated_user_is_refused_to_anybody_and_nobody_is_told(world, admin):
    fed = world.person("fed", totp=True, kind="federated", roles=["admin"])
    for person, name in ((admin, "fed"), (fed, "FED")):
        response = world.reset(person, {"username": name}, code=world.code(person))
        assert response.json["errorType"] == "error-not-allowed"
    assert world.queued("key-reset") == []


@row("9.40", "10.11", "12.8.2.2")
def test_nobody_resets_who_outranks_them(world, admin):
    world.permit("edit-other-user-e2ee", "user")
    bob = world.person("bob", totp=True)
    response = world.reset(bob, {"username": "root"}, code=world.code(bob))
    assert response.data == NOT_ALLOWED
    assert world.has_key(admin)
    assert world.outcomes()[-1][1:] == (bob.id, admin.id, "totp", "error-not-allowed")


def test_peers_may_reset_each_other_unless_the_setting_says_no(make_server, config, engine, world):
    one = world.person("one", totp=True, roles=["admin"])
    world.person("two", roles=["admin"])
    strict = world.through(make_server(config | {"E2ERESET_PEER_RESETS": False}))
    assert strict.reset(one, {"username": "two"}, code=world.code(one)).data == NOT_ALLOWED


@row("12.8.3.2")
def test_a_revoked_permission_is_gone_at_once_in_every_worker(
    world, admin, bob, make_server, config
):
    other = world.through(make_server(config))
    assert other.reset(admin, {"username": "bob"}, code=world.code(admin)).status_code == 200
    world.permit("edit-other-user-e2ee", "admin", allowed=False)
    world.clock.now += 30
    assert other.reset(admin, {"username": "bob"}, code=world.code(admin)).data == NOT_ALLOWED


@row("9.45", "10.13", "12.16.5.1", "12.16.5.2", "12.16.5.3", "12.2.3.3")
@pytest.mark.parametrize("table", ["e2ereset_audit", "e2ereset_outbox", "e2ereset_budgets"])
def test_a_part_that_is_gone_is_503_and_nothing_is_done(world, bob, engine, table):
    world.room("secret", bob)
    break_table(engine, table)
    response = world.reset(bob, code=world.code(bob))
    assert response.status_code == 503
    assert response.json == {"success": False, "error": "Service Unavailable"}
    assert response.headers["Retry-After"]
    assert (world.has_key(bob), world.tokens(bob), world.waiting(bob)) == (True, 1, set())
    assert world.rows(Totp)[0].last_step < world.clock.now // 30


@row("12.16.5.2")
def test_without_the_table_of_factors_nobody_passes(world, bob, engine):
    code = world.code(bob)
    break_table(engine, "e2ereset_totp")
    assert [world.reset(bob, code=c).status_code for c in (None, code)] == [503, 503]
    assert world.has_key(bob)


@row("9.48", "12.16.3.1", "12.v4.3.3.3", "13.forgot.10")
def test_a_reset_does_all_of_it(world, bob, admin):
    world.room("secret", bob, admin)
    world.room("open", bob, encrypted=False)
    world.sign_in(bob.id, expires_at=None, name="ci")
    assert world.reset(bob, code=world.code(bob)).status_code == 200
    assert not world.has_key(bob)
    assert world.tokens(bob) == 0
    for held in world.subscriptions(bob):
        kept = {held.e2e_key, held.suggested_key, held.suggested_old_keys, held.old_keys}
        assert kept == {None}
    assert world.waiting(bob) == {"secret"}
    assert world.subscriptions(admin)[0].e2e_key == "K"
    assert (world.has_key(admin), world.tokens(admin)) == (True, 1)
    assert len(world.rows(BackupCode, account_id=bob.id)) == 12
    assert world.outcomes()[-1] == ("reset-e2e-key", bob.id, bob.id, "totp", "reset")


@row("11.N20")
def test_the_notice_names_who_asked_from_where(world, admin):
    world.person("bob", emails=["b1@x.org", "b2@x.org", "b3@x.org!"])
    agent = {"User-Agent": "Firefox\t1"}
    world.reset(admin, {"username": "bob"}, code=world.code(admin), headers=agent)
    (first, facts), (second, _) = world.queued("key-reset")
    assert (first, second) == ("b1@x.org", "b2@x.org")
    assert (facts["by"], facts["own"], facts["at"]) == ("root", False, world.clock.now)
    assert (facts["address"], facts["agent"]) == ("127.0.0.1", "Firefox")


@row("10.12", "11.N20", "13.forgot.8")
def test_an_own_reset_is_notified_too(world, bob):
    world.reset(bob, code=world.code(bob))
    assert world.queued("key-reset")[0][1]["own"] is True


def test_nothing_to_reset_is_a_success_and_is_recorded(world):
    dave = world.person("dave", totp=True, key=False)
    assert world.reset(dave, code=world.code(dave)).status_code == 200
    assert world.outcomes()[-1][-1] == "nothing-to-reset"


@row("12.16.3.1", "12.16.3.2")
def test_every_refusal_after_authentication_leaves_a_row(world, bob):
    world.reset(bob, {"nonsense": "x"}, method="what anybody types")
    world.reset(bob)
    world.reset(bob, code="000000")
    world.reset(bob, {"username": "nobody"}, code=world.code(bob))
    world.client.post(SET_KEYS, json=OTHER, headers=bob.headers)
    *resets, key = world.outcomes()
    outcomes = [row[-1] for row in resets]
    assert outcomes == ["invalid-params", "totp-required", "totp-invalid", "error-not-allowed"]
    assert [row[3] for row in resets] == ["", "totp", "totp", "totp"]
    assert key == ("set-e2e-keys", bob.id, "", "", "error-keys-already-set")


@row("12.16.2.5")
def test_no_secret_is_in_the_audit_log(world, bob):
    code = world.code(bob)
    world.reset(bob, code=code)
    everything = json.dumps([[str(v) for v in vars(row).values()] for row in world.rows(AuditRow)])
    assert code not in everything
    assert bob.headers["X-Auth-Token"] not in everything


@row("12.2.4.1")
def test_the_eleventh_request_in_a_minute_is_429(make_server, config, engine, world):
    bob = world.person("bob", totp=True)
    world.client = make_server(config | {"RATELIMIT_ENABLED": True}).test_client()
    first = world.reset(bob)
    assert first.headers["X-RateLimit-Limit"] == "10"
    assert first.headers["X-RateLimit-Remaining"] == "9"
    for _ in range(9):
        world.reset(bob)
    last = world.reset(bob, code=world.code(bob))
    assert last.status_code == 429
    assert last.json["error"].endswith("[error-too-many-requests]")
    assert set(last.json) == {"success", "error"}
    assert int(last.headers["Retry-After"]) >= 1
    assert int(last.headers["X-RateLimit-Reset"]) > 10**12
    broken = world.reset(bob, {"username": 7})  # the body comes before the rate
    assert broken.json["errorType"] == "invalid-params"


def test_requests_over_the_rate_leave_one_row_for_each_account_route_and_window(
    make_server, config, engine, world
):
    bob, sue = world.person("bob", totp=True), world.person("sue", totp=True)
    rates = {"RATELIMIT_ENABLED": True, "E2ERESET_RATE_LIMIT_READS": "10 per minute"}
    world.client = make_server(config | rates).test_client()
    for _ in range(15):
        world.reset(bob)
    world.reset(sue)
    for route in ("e2e.fetchMyKeys", "me", "logout"):
        for _ in range(12):
            world.client.get(f"/api/v1/{route}", headers=bob.headers)
            bob.headers = world.sign_in(bob.id)
    world.clock.now += 60
    for _ in range(3):
        world.reset(bob)
    rows = [row[:2] for row in world.outcomes() if row[-1] == "error-too-many-requests"]
    others = [(action, bob.id) for action in ("fetch-e2e-keys", "me", "logout", "reset-e2e-key")]
    assert rows == [("reset-e2e-key", bob.id), ("reset-e2e-key", sue.id), *others]


def test_a_token_that_died_meanwhile_resets_nothing_and_sets_no_key(world, bob, monkeypatch):
    dave, signed_in = world.person("dave", key=False), Gates.signed_in

    def end_after(gates):
        caller = signed_in(gates)
        with world.runtime.transactions.begin() as session:
            world.runtime.accounts.end_sessions(session, caller.account.id)
        return caller

    monkeypatch.setattr(Gates, "signed_in", end_after)
    assert world.reset(bob, code=world.code(bob)).data == UNAUTHORIZED
    assert world.client.post(SET_KEYS, json=OTHER, headers=dave.headers).data == UNAUTHORIZED
    assert (world.has_key(bob), world.has_key(dave)) == (True, False)

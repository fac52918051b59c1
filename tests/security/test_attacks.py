"""Attacks that worked elsewhere, and that no test of a single part would see."""

import pyotp
import pytest
from sqlalchemy import select

from e2ereset import Strategy
from e2ereset.audit.models import AuditRow
from e2ereset.factors.models import BackupCode, Budget, Totp
from e2ereset.server.people.models import User
from e2ereset.server.tables import db
from tests.kit.client import API, LOGIN, SEND_CODE
from tests.kit.rows import row
from tests.kit.world import api_routes, error, sha256

OPEN = {("POST", LOGIN), ("POST", SEND_CODE)}  # the routes that take no sign-in
OPEN |= {("GET", API + "openapi.json"), ("GET", API + "openapi.html")}


class Stubborn(Strategy):
    """A third party's: takes nothing, and falls over what it does not know."""

    name = "stubborn"

    def usable(self, attempt):
        return True

    def verify(self, attempt, code):
        if code == "bang":
            raise RuntimeError(code)
        return False


def stored(world):
    """All that stands in the database, as text."""
    world.session.rollback()
    found = [world.session.execute(select(t)).all() for t in db.metadata.sorted_tables]
    return str(found)


# The whole surface


@row("9.1", "13.2.1")
def test_no_request_field_switches_the_check_off(world, bob):
    world.person("ann", totp=True, password="pw")
    for field in ("cas", "twoFactor", "bypassTwoFactor", "skip2fa", "method"):
        for value in (True, "none"):
            assert error(world.reset(bob, {field: value})) == "invalid-params"
        assert error(world.reset(bob, headers={f"x-{field}": "true"})) == "totp-required"
        assert world.login("ann", **{field: True}).status_code in (400, 401)


@row("9.19")
def test_no_route_forgets_who_asks(world, app):
    guarded = set(api_routes(app)) - OPEN
    assert len(guarded) >= 6
    for method, path in guarded:
        assert world.client.open(path, method=method, json={}).status_code == 401, path


@row("9.23")
def test_no_answer_sends_the_client_elsewhere(world, app, bob):
    for _, path in [*api_routes(app), ("GET", "/"), ("GET", "//evil.example/")]:
        for url in (path, path + "/", f"{path}?next=//evil.example&redirect_uri=//evil.example"):
            for method in ("GET", "POST"):
                answer = world.client.open(url, method=method, headers=bob.headers)
                assert "Location" not in answer.headers
                assert not 300 <= answer.status_code < 400
                world.again(bob)


@row("9.42")
def test_no_answer_holds_what_is_stored_to_check_against(world, app):
    ann = world.person("ann", totp=True, email=True, password="pw")
    said = world.login("ann", code=world.code(ann)).get_data(as_text=True)
    for method, path in api_routes(app):
        answer = world.client.open(path, method=method, headers=ann.headers)
        said += answer.get_data(as_text=True)
        world.again(ann)
    kept = [world.rows(User)[0].password_hash, world.rows(Totp)[0].secret, ann.totp.secret]
    kept += [code.digest for code in world.rows(BackupCode)]
    assert not [secret for secret in kept if secret in said]
    assert "password_hash" not in said


@row("9.46")
def test_a_get_changes_nothing(world, app, bob):
    before = stored(world)
    for method, path in api_routes(app):
        if method == "POST" and path != API + "logout":
            headers = bob.headers | {"x-2fa-code": world.code(bob)}
            assert world.client.get(path, headers=headers).status_code == 405
    assert stored(world) == before


# Somebody else's, or something else's


@row("9.12")
def test_a_factor_enrolled_meanwhile_does_not_satisfy_the_step_up(world, eve):
    assert error(world.reset(eve)) == "totp-required"
    factors, account = world.runtime.factors, world.account(eve)
    eve.totp = pyotp.TOTP(factors.begin_totp(account).secret)
    assert error(world.reset(eve, code=world.code(eve), method="totp")) == "totp-invalid"
    factors.confirm_totp(account, world.code(eve))
    assert error(world.reset(eve, code=world.code(eve), method="totp")) == "totp-invalid"


@row("9.14")
def test_another_method_starts_the_proof_anew(world):
    both = world.person("both", totp=True, email=True)
    assert error(world.reset(both, method="email")) == "totp-required"
    mailed = world.mailed_code()
    assert error(world.reset(both, code=mailed, method="totp")) == "totp-invalid"
    assert error(world.reset(both, code=world.code(both), method="email")) == "totp-invalid"


@row("9.21", "9.22", "13.forgot.6")
@pytest.mark.parametrize("method", ["totp", "email", "password"])
def test_a_proof_of_another_user_never_proves_the_caller(world, method):
    facts = {name: {method: f"pw of {name}" if method == "password" else True} for name in "ab"}
    ann, mallory = (world.person(name, **facts[name]) for name in "ab")
    for person in (ann, mallory):
        world.reset(person)
    code = {
        "totp": lambda: world.code(mallory),
        "email": world.mailed_code,
        "password": lambda: sha256("pw of b"),
    }[method]()
    assert error(world.reset(ann, code=code)) == "totp-invalid"
    assert world.reset(mallory, code=code).status_code == 200


@row("12.v4.2.8.2", "11.N8")
def test_a_stolen_seed_opens_for_no_other_account(world, bob):
    ann = world.person("ann", totp=True)
    stolen = world.rows(Totp, account_id=bob.id)[0].secret
    assert bob.totp.secret not in stolen
    world.session.query(Totp).filter_by(account_id=ann.id).update({"secret": stolen})
    world.session.commit()
    assert world.reset(ann, code=world.code(bob)).status_code == 503
    assert world.has_key(ann)


@row("9.30", "12.v4.2.7.5", "13.mfa.6")
def test_no_secret_is_stored(world, bob, eve):
    ann = world.person("ann", password="a long password")
    world.reset(eve)
    secrets = [world.code(bob), sha256("a long password"), "a long password", bob.backup_codes[3]]
    secrets += [world.mailed_code(), world.mailed_code().replace("-", "")]
    world.reset(bob, code=secrets[0])
    world.reset(world.again(bob), code=secrets[3])
    world.reset(ann, code=secrets[1])
    world.login("ann", "a long password")
    secrets += [bob.headers["X-Auth-Token"], bob.totp.secret, *bob.backup_codes]
    assert not [secret for secret in secrets if secret in stored(world)]


@row("9.28", "12.16.2.1")
def test_a_row_says_from_where_whatever_a_header_says(world, bob):
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Client-IP"):
        world.reset(bob, headers={name: "192.0.2.1, for=192.0.2.1", "User-Agent": "Firefox"})
    for found in world.rows(AuditRow):
        assert (found.caller, found.target, found.action) == (bob.id, bob.id, "reset-e2e-key")
        assert (found.address, found.agent, found.at) == ("127.0.0.1", "Firefox", world.clock.now)


@row("9.37")
@pytest.mark.parametrize(("code", "status"), [("no", 400), ("bang", 503)])
def test_tries_count_around_any_strategy(world, bob, make_server, config, code, status):
    mine = world.through(make_server(config | {"E2ERESET_METHODS": [Stubborn]}))
    for _ in range(5):
        assert mine.reset(bob, code=code).status_code == status
    assert error(mine.reset(bob, code=code)) == "totp-max-attempts"


# At once (and by HTTP over several workers: tests/reset/test_races.py)


@row("9.5", "9.31", "9.49", "10.4", "12.2.3.4")
@pytest.mark.parametrize("kind", ["totp", "backup", "email", "own"])
def test_of_many_at_once_with_one_code_one_passes(world, kind):
    root = world.person("root", totp=kind != "email", email=True, roles=["admin"])
    world.person("ann")
    body = None if kind == "own" else {"user": "ann"}
    world.reset(root, body)
    codes = {"backup": lambda: root.backup_codes[0], "email": world.mailed_code}
    code = codes.get(kind, lambda: world.code(root))()
    answers = world.at_once(root, 12, body=body, code=code)
    assert len(answers) == 12
    assert [answer.status_code for answer in answers].count(200) == 1
    assert [found[-1] for found in world.outcomes()].count("reset") == 1
    assert len(world.queued("key-reset")) == 1


@row("9.11", "9.33")
def test_of_many_wrong_codes_at_once_the_budget_is_looked_at(world, bob):
    seen = [error(answer) for answer in world.at_once(bob, 20, code="000000")]
    assert sorted(seen) == ["totp-invalid"] * 5 + ["totp-max-attempts"] * 15
    (budget,) = world.rows(Budget, account_id=bob.id, purpose="verify:totp")
    assert budget.count_1 == 5

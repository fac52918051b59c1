"""Proofs that are remembered for half an hour, by the routes that allow it."""

from itertools import count

import pytest
from sqlalchemy import event

from tests.kit.client import API
from tests.kit.rows import row
from tests.kit.world import error

ADD, REMOVE = API + "users.generatePersonalAccessToken", API + "users.removePersonalAccessToken"
RENEW = API + "users.regeneratePersonalAccessToken"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/17.0 Safari/605.1.15"
TOLD = "totp-required"


@pytest.fixture
def bob(world):
    """Somebody with TOTP, a password and a verified address."""
    return world.person("bob", totp=True, password="pw", key=False)


@pytest.fixture
def add(world, bob):
    """Makes a token as bob; its error code, None for none."""
    names = map(str, count())

    def add(code=None, *, through=world, agent=FIREFOX, address="127.0.0.1", **changes):
        headers = bob.headers | {"User-Agent": agent} | changes.pop("headers", {})
        headers |= {"x-2fa-code": code} if code else {}
        where, body = {"REMOTE_ADDR": address}, {"tokenName": next(names)} | changes
        answer = through.client.post(ADD, json=body, headers=headers, environ_base=where)
        return None if answer.status_code == 200 else error(answer)

    return add


@pytest.fixture
def proven(world, bob, add):
    """Bob has just proven who he is."""
    assert add() == TOLD
    assert add(world.code(bob)) is None


def test_a_proof_is_remembered_for_half_an_hour(world, proven, add):
    assert add() is None
    assert world.outcomes()[-1][3:] == ("remembered", "done")
    world.clock.now += 1799
    assert add() is None  # this one is not remembered anew
    world.clock.now += 1
    assert add() == TOLD


@pytest.mark.parametrize(
    "other",
    [
        {"agent": SAFARI},
        {"address": "127.0.0.2"},
        {"address": ""},
        {"bypassTwoFactor": True},
        {"code": "000000"},
    ],
)
def test_it_holds_for_its_address_and_program_only_and_makes_no_bypass_token(proven, add, other):
    assert add(**other) == ("totp-invalid" if "code" in other else TOLD)
    assert add() is None


def test_it_holds_for_its_sign_in_only(world, bob, proven, add):
    assert add(headers=world.sign_in(bob.id)) == TOLD


def test_removing_a_token_remembers_and_neither_renewing_nor_a_reset_does(world, bob, proven):
    def ask(path, body):
        headers = bob.headers | {"User-Agent": FIREFOX}
        return world.client.post(path, json=body, headers=headers)

    assert error(ask(RENEW, {"tokenName": "1"})) == TOLD
    assert error(ask(API + "users.resetE2EKey", {})) == TOLD
    assert ask(REMOVE, {"tokenName": "1"}).json == {"success": True}


@row("10.10")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("codes",), TOLD),
        (("email-2fa", "--on"), TOLD),
        (("totp", "--off"), TOLD),
        (("email", "new@x.org", "--verified"), TOLD),
        (("password", "--password-stdin"), "You must be logged in to do this."),
    ],
)
def test_any_change_of_a_factor_or_the_password_makes_it_void(run, proven, add, command, code):
    name, *more = command
    result = run("user", name, "bob", *more, input="a new and long password\n")
    assert result.exit_code == 0, result.output
    assert add() == code


def test_a_password_that_its_owner_changes_makes_it_void_for_personal_tokens_too(world, bob, add):
    script = world.sign_in(bob.id, name="script", expires_at=None)
    assert add(world.code(bob), headers=script) is None
    assert add(headers=script) is None
    world.clock.now += 30
    headers = bob.headers | {"x-2fa-code": world.code(bob)}
    body = {"data": {"newPassword": "a new and long password"}}
    answer = world.client.post(API + "users.updateOwnBasicInfo", json=body, headers=headers)
    assert answer.status_code == 200, answer.json
    assert add(headers=script) == TOLD


def test_a_change_between_the_choice_and_the_act_makes_it_void(world, run, proven, add):
    changed = []

    @event.listens_for(world.engine, "after_cursor_execute")
    def renew_codes(_connection, _cursor, statement, *_):
        if "max(e2ereset_backup_codes.digest)" in statement and not changed:
            changed.append(True)
            changed.append(run("user", "codes", "bob").exit_code)

    assert add() == TOLD
    assert changed == [True, 0]


def test_it_can_be_switched_off(world, bob, with_settings, proven, add):
    never = with_settings(E2ERESET_REMEMBER_SECONDS=0)
    assert add(through=never) == TOLD


def test_an_update_of_somebody_is_proven_by_it(world, proven, bob):
    body = {"userId": bob.id, "data": {"name": "Bob"}}
    headers = bob.headers | {"User-Agent": FIREFOX}
    world.client.post(API + "users.update", json=body, headers=headers)
    assert world.outcomes()[-1][3] == "remembered"

"""Personal access tokens over HTTP (reference 1.9)."""

import pytest

from e2ereset.server.sessions.models import Token
from tests.kit.client import API, ME, RESET
from tests.kit.server import NOW
from tests.kit.world import error

ADD, RENEW = API + "users.generatePersonalAccessToken", API + "users.regeneratePersonalAccessToken"
REMOVE, LIST = API + "users.removePersonalAccessToken", API + "users.getPersonalAccessTokens"
MADE = "2027-01-15T08:00:00.000Z"


@pytest.fixture
def bob(world):
    """Somebody with TOTP."""
    return world.person("bob", totp=True, key=False)


@pytest.fixture
def ask(world):
    """Asks as this person for this path, with the code that is due then; the answer."""

    def ask(person, path, *, code=None, **body):
        world.clock.now += 30  # a code works once
        headers = person.headers | {"x-2fa-code": code or world.code(person)}
        return world.client.post(path, json=body, headers=headers)

    return ask


def listed(world, person):
    return world.client.get(LIST, headers=person.headers).json["tokens"]


def signed(person, token):
    return {"X-User-Id": person.id, "X-Auth-Token": token}


def test_a_token_is_made_behind_the_second_factor_and_signs_in(world, bob, ask):
    bare = world.client.post(ADD, json={"tokenName": "ci"}, headers=bob.headers)
    assert error(bare) == "totp-required"
    assert error(ask(bob, ADD, code="000000", tokenName="ci")) == "totp-invalid"
    made = ask(bob, ADD, tokenName="ci")
    assert (made.status_code, list(made.json)) == (200, ["token", "success"])
    headers = signed(bob, made.json["token"])
    world.clock.now += 10**9  # it never expires
    assert world.client.get(ME, headers=headers).json["username"] == "bob"
    assert error(world.client.post(RESET, json={}, headers=headers)) == "totp-required"


def test_a_token_is_listed_by_its_last_six_characters_alone(world, bob, ask):
    token = ask(bob, ADD, tokenName="ci", bypassTwoFactor=True).json["token"]
    (row,) = listed(world, bob)
    made = row.pop("createdAt")
    assert made == MADE.replace("00:00.000", "00:30.000")
    assert row == {"name": "ci", "lastTokenPart": token[-6:], "bypassTwoFactor": True}
    assert listed(world, world.person("eve", key=False)) == []


def test_a_bypass_token_passes_the_second_factor(world, bob, ask):
    token = ask(bob, ADD, tokenName="ci", bypassTwoFactor=True).json["token"]
    answer = world.client.post(RESET, json={}, headers=signed(bob, token))
    assert answer.json == {"success": True}


def test_a_regenerated_token_keeps_what_it_skips_and_the_old_one_dies(world, bob, ask):
    old = ask(bob, ADD, tokenName="ci", bypassTwoFactor=True).json["token"]
    new = ask(bob, RENEW, tokenName="ci").json["token"]
    assert world.client.get(ME, headers=signed(bob, old)).status_code == 401
    assert world.client.get(ME, headers=signed(bob, new)).status_code == 200
    (row,) = listed(world, bob)
    assert (row["lastTokenPart"], row["bypassTwoFactor"]) == (new[-6:], True)


def test_a_removed_token_is_dead_and_no_other(world, bob, ask):
    token = ask(bob, ADD, tokenName="ci").json["token"]
    ask(bob, ADD, tokenName="other")
    assert ask(bob, REMOVE, tokenName="ci").json == {"success": True}
    assert world.client.get(ME, headers=signed(bob, token)).status_code == 401
    assert [row["name"] for row in listed(world, bob)] == ["other"]


def test_a_name_is_taken_once_for_each_user(world, bob, admin, ask):
    ask(bob, ADD, tokenName="ci")
    again = ask(bob, ADD, tokenName="ci", bypassTwoFactor=None)
    words = "A token with this name already exists [error-token-already-exists]"
    assert (again.status_code, again.json["error"]) == (400, words)
    assert ask(admin, ADD, tokenName="ci").status_code == 200


@pytest.mark.parametrize("path", [RENEW, REMOVE])
def test_a_name_that_only_somebody_else_has_does_not_exist(world, bob, admin, ask, path):
    ask(bob, ADD, tokenName="ci")
    answer = ask(admin, path, tokenName="ci")
    words = "Token does not exist [error-token-does-not-exists]"
    assert (answer.status_code, answer.json["error"]) == (400, words)
    assert len(listed(world, bob)) == 1


@pytest.mark.parametrize(
    ("path", "method"),
    [(ADD, "generateToken"), (RENEW, "regenerateToken"), (REMOVE, "removeToken")],
)
def test_without_the_permission_it_is_not_authorized_after_the_proof(world, ask, path, method):
    guest = world.person("ann", totp=True, key=False, roles=["guest"])
    assert error(ask(guest, path, code="000000", tokenName="ci")) == "totp-invalid"
    answer = ask(guest, path, tokenName="ci")
    assert (answer.status_code, answer.json) == (
        400,
        {
            "success": False,
            "error": "Not Authorized [not-authorized]",
            "errorType": "not-authorized",
            "details": {"method": f"personalAccessTokens:{method}"},
        },
    )


def test_without_the_permission_the_list_is_403(world):
    guest = world.person("ann", key=False, roles=["guest"])
    answer = world.client.get(LIST, headers=guest.headers)
    words = "User does not have the permissions required for this action [error-unauthorized]"
    assert (answer.status_code, answer.json) == (403, {"success": False, "error": words})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "must have required property 'tokenName'"),
        ({"tokenName": 1}, "must be string"),
        ({"tokenName": ""}, "must NOT have fewer than 1 characters"),
        ({"tokenName": "x" * 256}, "must NOT have more than 255 characters"),
        ({"tokenName": "ci", "bypassTwoFactor": "true"}, "must be boolean"),
        ({"tokenName": "ci", "more": 1}, "must NOT have additional properties"),
    ],
)
def test_a_body_that_does_not_fit_never_asks_for_a_code(world, bob, body, words):
    answer = world.client.post(ADD, json=body, headers=bob.headers)
    assert (answer.status_code, answer.json["error"]) == (400, f"{words} [invalid-params]")
    assert world.client.post(ADD, json=body).status_code == 401


def test_a_code_mailed_for_one_token_makes_no_other(world, eve):
    def add(code=None, **body):
        headers = eve.headers | ({"x-2fa-code": code} if code else {})
        return world.client.post(ADD, json=body, headers=headers)

    assert error(add(tokenName="ci")) == "totp-required"
    assert world.queued("code")[-1][1]["phrase"] == "make a personal access token"
    code = world.mailed_code()
    assert error(add(code, tokenName="ci", bypassTwoFactor=True)) == "totp-invalid"
    assert error(add(code, tokenName="other")) == "totp-invalid"
    assert add(code, tokenName="ci").status_code == 200


def test_where_bypass_tokens_are_off_none_is_made(world, with_settings, bob):
    strict = with_settings(E2ERESET_BYPASS_TOKENS=False)
    headers = bob.headers | {"x-2fa-code": world.code(bob)}
    body = {"tokenName": "ci", "bypassTwoFactor": True}
    assert error(strict.client.post(ADD, json=body, headers=headers)) == "error-not-allowed"
    assert listed(world, bob) == []


def test_each_act_is_in_the_audit_log_and_told_to_the_owner(world, bob, ask):
    tokens = [ask(bob, ADD, tokenName="ci", bypassTwoFactor=True).json["token"]]
    tokens.append(ask(bob, RENEW, tokenName="ci").json["token"])
    ask(bob, REMOVE, tokenName="ci")
    acts = ("add-bypass-token", "regenerate-token", "remove-token")
    assert world.outcomes()[-3:] == [(a, bob.id, f"{bob.id}:ci", "totp", "done") for a in acts]
    told = [facts for _, facts in world.queued("account-changed")]
    assert [facts["change"] for facts in told] == [
        "The personal access token ci that skips the second factor was made",
        "The personal access token ci was made anew; the old one has ended",
        "The personal access token ci was ended",
    ]
    assert not any(token in str(told) + str(world.outcomes()) for token in tokens)


def test_the_sign_ins_of_people_are_no_personal_tokens(world, bob, ask):
    assert listed(world, bob) == []
    assert error(ask(bob, REMOVE, tokenName="None")) == "error-token-does-not-exists"
    assert world.rows(Token, user_id=bob.id)[0].created_at == NOW

"""Ending sign-ins over HTTP: all, or all but one's own (reference 5.1)."""

import pytest

from e2ereset.server.sessions.models import Token
from tests.kit.client import API, ME
from tests.kit.world import error

ALL, OTHER_CLIENTS = API + "users.logout", API + "users.logoutOtherClients"
OTHER_TOKENS = API + "users.removeOtherTokens"


@pytest.fixture
def people(world):
    """An administrator, and two people with two sign-ins and a personal token each."""
    people = [world.person("root", key=False, roles=["admin"])]
    for name in ("bob", "eve"):
        people.append(world.person(name, key=False))
        world.sign_in(people[-1].id)
        world.sign_in(people[-1].id, expires_at=None, name="ci")
    return people


def left(world, person):
    return sorted(token.kind for token in world.rows(Token, user_id=person.id))


def told(world):
    return [(who, facts["change"]) for who, facts in world.queued("account-changed")]


@pytest.mark.parametrize("body", [None, {"userId": "id-of-bob"}])
def test_users_logout_ends_all_of_ones_own(world, people, body):
    _, bob, eve = people
    answer = world.client.post(ALL, json=body, headers=bob.headers)
    assert answer.json == {"message": "User id-of-bob has been logged out!", "success": True}
    assert (left(world, bob), len(left(world, eve))) == ([], 3)
    assert world.client.get(ME, headers=bob.headers).status_code == 401
    assert told(world) == [("bob@x.org", "All your sign-ins and personal access tokens were ended")]


def test_users_logout_of_another_needs_the_permission(world, people):
    root, bob, eve = people
    for user_id in (eve.id, root.id, "nobody"):
        answer = world.client.post(ALL, json={"userId": user_id}, headers=bob.headers)
        assert (answer.status_code, answer.json) == (
            403,
            {"success": False, "error": "unauthorized"},
        )
    assert len(left(world, eve)) == 3
    answer = world.client.post(ALL, json={"userId": eve.id}, headers=root.headers)
    assert answer.json["message"] == "User id-of-eve has been logged out!"
    assert left(world, eve) == []
    rows = [row for row in world.outcomes() if row[0] == "end-tokens"]
    assert rows[0] == ("end-tokens", bob.id, eve.id, "off", "unauthorized")
    assert rows[-1] == ("end-tokens", root.id, eve.id, "off", "done")
    assert told(world)[0][0] == "eve@x.org"


def test_users_logout_of_nobody_is_answered_like_any_other(world, people):
    answer = world.client.post(ALL, json={"userId": "nobody"}, headers=people[0].headers)
    assert answer.json == {"message": "User nobody has been logged out!", "success": True}


def test_users_logout_of_somebody_who_outranks_is_refused(world, people):
    root, bob, _ = people
    world.permit("logout-other-user", "user")
    answer = world.client.post(ALL, json={"userId": root.id}, headers=bob.headers)
    assert error(answer) == "error-not-allowed"
    assert len(left(world, root)) == 1


@pytest.mark.parametrize("blank", ["", " ", None])
def test_a_blank_id_never_means_ones_own(world, people, blank):
    answer = world.client.post(ALL, json={"userId": blank}, headers=people[1].headers)
    assert error(answer) == "error-user-param-not-provided"
    assert len(left(world, people[1])) == 3


def test_log_out_other_clients_keeps_personal_tokens_and_tells_when_this_one_ends(world, people):
    _, bob, eve = people
    answer = world.client.post(OTHER_CLIENTS, headers=bob.headers)
    token, ends = bob.headers["X-Auth-Token"], "2027-01-16T08:00:00.000Z"
    assert answer.json == {"token": token, "tokenExpires": ends, "success": True}
    assert (left(world, bob), len(left(world, eve))) == (["login", "personal"], 3)
    assert world.client.get(ME, headers=bob.headers).status_code == 200
    world.client.post(OTHER_CLIENTS, headers=bob.headers)  # there is nothing more to tell
    assert told(world) == [("bob@x.org", "All your sign-ins but the one in use were ended")]


def test_log_out_other_clients_by_a_personal_token_has_no_end(world, people):
    bob = people[1]
    headers = world.sign_in(bob.id, expires_at=None, name="mine")
    answer = world.client.post(OTHER_CLIENTS, headers=headers)
    assert answer.json["tokenExpires"] == ""
    assert left(world, bob) == ["personal", "personal"]


def test_remove_other_tokens_drops_all_but_the_current_one(world, people):
    _, bob, eve = people
    answer = world.client.post(OTHER_TOKENS, headers=bob.headers)
    assert answer.json == {"success": True}
    assert (left(world, bob), len(left(world, eve))) == (["login"], 3)
    assert world.outcomes()[-1] == ("end-other-tokens", bob.id, bob.id, "off", "done")


@pytest.mark.parametrize("path", [ALL, OTHER_CLIENTS, OTHER_TOKENS])
def test_nobody_is_signed_out_without_a_sign_in(world, people, path):
    assert world.client.post(path, headers={"X-User-Id": people[1].id}).status_code == 401
    answer = world.client.post(path, json={"x": 1}, headers=people[1].headers)
    assert error(answer) == "invalid-params"
    assert len(left(world, people[1])) == 3

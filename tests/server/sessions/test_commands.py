"""Sign-ins and personal access tokens, from the command line."""

import pytest

from e2ereset.server.sessions.models import Token
from tests.kit.commands import error_of


def test_a_token_signs_in(world, bob, done):
    made = done("user", "token", "bob")
    headers = {"X-User-Id": made["userId"], "X-Auth-Token": made["authToken"]}
    assert world.client.get("/api/v1/me", headers=headers).json["username"] == "bob"


def test_a_personal_token_never_expires_and_may_bypass(world, bob, done):
    done("user", "token", "bob", "--personal", "ci", "--bypass")
    (token,) = world.rows(Token, name="ci")
    assert (token.expires_at, token.bypass_two_factor) == (None, True)


def test_a_second_personal_token_of_one_name_is_refused(bob, run):
    run("user", "token", "bob", "--personal", "ci")
    assert "'ci' already" in error_of(run("user", "token", "bob", "--personal", "ci"))


def test_a_sign_in_can_not_bypass(bob, run):
    assert run("user", "token", "bob", "--bypass").exit_code == 2


@pytest.mark.parametrize("extra", [(), ("--personal", "ci")])
def test_an_inactive_user_gets_no_token(world, run, extra):
    world.person("ann", active=False, key=False)
    assert "not activated" in error_of(run("user", "token", "ann", *extra))


def test_tokens_are_listed_without_what_they_are(bob, run, done):
    made = done("user", "token", "bob", "--personal", "ci", "--bypass")
    rows = done("user", "tokens", "bob")
    assert [(row["kind"], row["name"]) for row in rows] == [("login", None), ("personal", "ci")]
    shown = run("user", "tokens", "bob").output
    assert "skips the second factor" in shown
    assert made["authToken"] not in shown
    assert done("user", "tokens", "bob", "--end") == {"username": "bob", "ended": 2}
    assert done("user", "tokens", "bob") == []

"""`force` is a boolean of JSON, or spelled in a form; nothing that only counts as one."""

import pytest

SET_KEYS = "/api/v1/e2e.setUserPublicAndPrivateKeys"
PAIR = {"public_key": "PUB", "private_key": "OTHER"}


def private_key(world, person):
    found = world.client.get("/api/v1/e2e.fetchMyKeys", headers=person.headers)
    return found.json["private_key"]


@pytest.mark.parametrize(
    "force", [1, 0, 1.0, "true", "false", "", "1", "on", None, [True], {"a": 1}, 1e999]
)
def test_what_is_no_boolean_is_refused_and_overwrites_nothing(world, bob, force):
    answer = world.client.post(SET_KEYS, json=PAIR | {"force": force}, headers=bob.headers)
    assert answer.status_code == 400
    assert answer.json["errorType"] == "invalid-params"
    assert private_key(world, bob) == "PRIV"


@pytest.mark.parametrize("force", ["1", "0", "yes", "True", "TRUE", " true", ""])
def test_a_form_spells_it_true_or_false_and_nothing_else(world, bob, force):
    answer = world.client.post(SET_KEYS, data=PAIR | {"force": force}, headers=bob.headers)
    assert answer.json["error"] == "must be boolean [invalid-params]"
    assert private_key(world, bob) == "PRIV"


def test_true_overwrites_in_json_and_in_a_form(world, bob):
    world.client.post(SET_KEYS, json=PAIR | {"force": True}, headers=bob.headers)
    assert private_key(world, bob) == "OTHER"
    again = PAIR | {"private_key": "THIRD", "force": "true"}
    world.client.post(SET_KEYS, data=again, headers=bob.headers)
    assert private_key(world, bob) == "THIRD"


@pytest.mark.parametrize(
    "how", [{"json": PAIR | {"force": False}}, {"data": PAIR | {"force": "false"}}]
)
def test_false_overwrites_nothing(world, bob, how):
    answer = world.client.post(SET_KEYS, headers=bob.headers, **how)
    assert answer.json["errorType"] == "error-keys-already-set"

"""`force` is a boolean of JSON, or spelled in a form; nothing that only counts as one."""

import pytest

from e2ereset.vault.models import KeyPair
from tests.kit.client import API, SET_KEYS
from tests.kit.world import error

PAIR = {"public_key": "PUB", "private_key": "OTHER"}
IN_JSON = [1, 0, 1.0, "true", "false", "", "1", "on", None, [True], {"a": 1}, 1e999]
IN_A_FORM = ["1", "0", "yes", "True", "TRUE", " true", ""]


def private_key(world):
    return world.rows(KeyPair)[0].private_key


@pytest.mark.parametrize(
    ("kind", "force"), [*(("json", f) for f in IN_JSON), *(("data", f) for f in IN_A_FORM)]
)
def test_what_is_no_boolean_is_refused_and_overwrites_nothing(world, bob, kind, force):
    answer = world.client.post(SET_KEYS, headers=bob.headers, **{kind: PAIR | {"force": force}})
    assert error(answer) == "invalid-params"
    assert private_key(world) == "PRIV"


@pytest.mark.parametrize(
    ("kind", "true", "false"), [("json", True, False), ("data", "true", "false")]
)
def test_true_overwrites_and_false_does_not(world, bob, kind, true, false):
    answer = world.client.post(SET_KEYS, headers=bob.headers, **{kind: PAIR | {"force": false}})
    assert error(answer) == "error-keys-already-set"
    world.client.post(SET_KEYS, headers=bob.headers, **{kind: PAIR | {"force": true}})
    assert private_key(world) == "OTHER"


@pytest.mark.parametrize(
    "unset",
    [{"public_key": "", "private_key": ""}, {"public_key": "PUB", "private_key": ""}],
)
def test_an_empty_half_of_a_pair_counts_as_not_set(world, unset):
    ann = world.person("ann", key=False)
    for pair in (unset, PAIR):
        answer = world.client.post(SET_KEYS, headers=ann.headers, json=pair)
        assert answer.json == {"success": True}
    mine = world.client.get(API + "e2e.fetchMyKeys", headers=ann.headers).json
    assert mine == PAIR | {"success": True}

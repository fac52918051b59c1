"""Another public key in the place of one is a reset; everything else about keys is free."""

import base64
import json

import pytest

from e2ereset.vault.models import KeyPair
from e2ereset.vault.service import Pair
from e2ereset.vault.thumbprints import thumbprint
from tests.kit.client import SET_KEYS
from tests.kit.world import error, sha256

JWK = {"kty": "RSA", "n": "0vx7", "e": "AQAB", "alg": "RSA-OAEP-256", "key_ops": ["encrypt"]}


def put(world, person, public="OTHER", private="NEW", *, force=True, code=None):
    body = {"public_key": public, "private_key": private, "force": force}
    headers = person.headers | ({"x-2fa-code": code} if code else {})
    return world.client.post(SET_KEYS, json=body, headers=headers)


def stored(world, person):
    return [(row.public_key, row.private_key) for row in world.rows(KeyPair, account_id=person.id)]


def test_a_first_pair_after_a_reset_is_free(world, bob):
    world.reset(bob, code=world.code(bob))
    assert put(world, world.again(bob), force=False).json == {"success": True}
    assert stored(world, bob) == [("OTHER", "NEW")]


@pytest.mark.parametrize("public", ["OTHER", ""])
def test_another_public_key_or_none_asks_for_the_second_factor(world, bob, public):
    answer = put(world, bob, public)
    assert (error(answer), answer.json["details"]["method"]) == ("totp-required", "totp")
    assert error(put(world, bob, public, code="000000")) == "totp-invalid"
    assert stored(world, bob) == [("PUB", "PRIV")]


def test_a_right_code_replaces_the_pair_with_all_effects_of_a_reset(world, bob):
    world.room("general", bob)
    world.sign_in(bob.id)
    assert put(world, bob, code=world.code(bob)).json == {"success": True}
    assert stored(world, bob) == [("OTHER", "NEW")]
    assert world.tokens(bob) == 0
    assert [row.e2e_key for row in world.subscriptions(bob)] == [None]
    assert world.waiting(bob) == {"general"}
    assert world.outcomes()[-1] == ("replace-e2e-key", bob.id, bob.id, "totp", "reset")
    [(recipient, facts)] = world.queued("key-reset")
    assert (recipient, facts["replaced"]) == ("bob@x.org", True)


def test_a_code_mailed_for_a_reset_replaces_nothing(world, eve):
    world.reset(eve)
    assert error(put(world, eve, code=world.mailed_code())) == "totp-invalid"
    assert stored(world, eve) == [("PUB", "PRIV")]


def test_a_mailed_code_names_the_replacement(world, eve):
    put(world, eve)
    assert world.queued("code")[0][1]["phrase"] == "replace the E2E key of eve"
    assert put(world, eve, code=world.mailed_code()).status_code == 200


def test_a_pair_without_its_private_half_is_no_open_door(world, bob):
    put(world, bob, "PUB", "")
    assert stored(world, bob) == [("PUB", "")]
    assert error(put(world, bob, force=False)) == "totp-required"
    assert put(world, bob, "PUB", "NEW", force=False).status_code == 200


def test_without_force_a_pair_is_never_replaced(world, bob):
    answer = put(world, bob, force=False, code=world.code(bob))
    assert error(answer) == "error-keys-already-set"
    assert stored(world, bob) == [("PUB", "PRIV")]


def test_the_same_public_key_wrapped_anew_is_free_told_and_recorded(world, bob):
    assert put(world, bob, "PUB", "WRAPPED").json == {"success": True}
    assert stored(world, bob) == [("PUB", "WRAPPED")]
    assert world.tokens(bob) == 1
    assert [recipient for recipient, _ in world.queued("key-wrapped-anew")] == ["bob@x.org"]
    assert world.outcomes()[-1] == ("set-e2e-keys", bob.id, bob.id, "", "wrapped-anew")


def test_the_very_same_pair_again_tells_nobody(world, bob):
    assert put(world, bob, "PUB", "PRIV").json == {"success": True}
    assert world.queued("key-wrapped-anew") == []


@pytest.fixture
def dave(world):
    """Somebody whose public key is a JWK."""
    dave = world.person("dave", totp=True, key=False)
    assert put(world, dave, json.dumps(JWK)).status_code == 200
    return dave


def test_a_jwk_that_is_written_otherwise_is_the_same_key(world, dave):
    again = json.dumps(dict(reversed(JWK.items())) | {"ext": True}, indent=1)
    assert put(world, dave, again, "WRAPPED").status_code == 200
    assert stored(world, dave) == [(json.dumps(JWK), "WRAPPED")]


@pytest.mark.parametrize("change", [{"n": "0vx8"}, {"e": "AQAC"}, {"kty": "EC"}, {"n": ["0vx7"]}])
def test_a_jwk_of_another_key_is_another_key(world, dave, change):
    assert error(put(world, dave, json.dumps(JWK | change))) == "totp-required"


def test_a_jwk_that_says_a_member_twice_is_a_text(world, dave):
    assert error(put(world, dave, json.dumps(JWK)[:-1] + ', "n": "0vx7"}')) == "totp-required"


def test_a_thumbprint_is_that_of_rfc_7638_section_3_1():
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJ"
        "ECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW"
        "2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQ"
        "Fh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    text = json.dumps({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    found = base64.urlsafe_b64encode(bytes.fromhex(thumbprint(text))).rstrip(b"=")
    assert found == b"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("text", ["", "x", "[]", "null", '{"kty": 1}', '{"kty":"oct","k":"x"}'])
def test_what_is_no_public_jwk_has_no_thumbprint(text):
    assert thumbprint(text) is None


def test_the_setting_can_refuse_any_replacement(world, with_settings, bob):
    strict = with_settings(E2ERESET_KEY_REPLACEMENT="refuse")
    assert error(put(strict, bob, code=world.code(bob))) == "error-not-allowed"
    assert world.outcomes()[-1][-1] == "error-not-allowed"
    assert stored(world, bob) == [("PUB", "PRIV")]


def test_the_setting_can_allow_a_replacement_without_proof(world, with_settings, bob):
    assert put(with_settings(E2ERESET_KEY_REPLACEMENT="allow"), bob).status_code == 200
    assert world.outcomes()[-1] == ("replace-e2e-key", bob.id, bob.id, "off", "reset")
    assert world.tokens(bob) == 0


EVIL = {"public_key": "EVIL", "private_key": "EVIL"}
NAMED = ({"username": "bob"}, {"userId": "id-of-bob"}, {"code": "123456"})
BODIES = [
    {},
    EVIL,
    EVIL | {"private_key": ""},
    EVIL | {"force": True},
    *(EVIL | it for it in NAMED),
]


@pytest.mark.long
def test_no_route_changes_a_public_key_behind_a_token_alone(world):
    bob = world.person("bob", totp=True, password="right")
    rules = [r for r in world.app.url_map.iter_rules() if r.endpoint != "static"]
    for rule, method in ((r.rule, m) for r in rules for m in r.methods - {"HEAD", "OPTIONS"}):
        for body in BODIES if method != "GET" else [EVIL | {"force": True}]:
            world.client.open(rule, method=method, headers=bob.headers, json=body)
        world.client.open(rule, method=method, headers=bob.headers, data=EVIL | {"force": "true"})
        assert stored(world, bob)[0][0] == "PUB", (rule, method)
        bob.headers = world.sign_in(bob.id)


def test_the_password_as_fallback_replaces_too(world):
    ann = world.person("ann", password="good enough")
    assert put(world, ann, code=sha256("good enough")).status_code == 200


def test_a_pair_that_came_in_between_is_replaced_too(world, bob, monkeypatch):
    def drop_keys(session, account_id, now):
        world.runtime.vault.add(session, account_id, Pair("THIRD", "P"), now)
        return True

    monkeypatch.setattr(world.runtime.accounts, "drop_keys", drop_keys)
    assert put(world, bob, code=world.code(bob)).json == {"success": True}
    assert stored(world, bob) == [("OTHER", "NEW")]

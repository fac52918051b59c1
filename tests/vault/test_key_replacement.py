"""Another public key in the place of one is a reset; everything else about keys is free."""

import base64
import json

import pytest

from e2ereset.vault.models import KeyPair
from e2ereset.vault.service import Pair
from e2ereset.vault.thumbprints import thumbprint
from tests.kit.world import sha256

SET = "/api/v1/e2e.setUserPublicAndPrivateKeys"
JWK = {"kty": "RSA", "n": "0vx7", "e": "AQAB", "alg": "RSA-OAEP-256", "key_ops": ["encrypt"]}


def put(world, person, public="OTHER", private="NEW", *, force=True, **headers):
    body = {"public_key": public, "private_key": private, "force": force}
    return world.client.post(SET, json=body, headers=person.headers | headers)


def stored(world, person):
    return [(row.public_key, row.private_key) for row in world.rows(KeyPair, account_id=person.id)]


def proven(world, person):
    return {"x-2fa-code": world.code(person)}


def test_a_first_pair_is_free(world):
    bob = world.person("bob", totp=True, key=False)
    assert put(world, bob, force=False).json == {"success": True}
    assert stored(world, bob) == [("OTHER", "NEW")]


def test_a_first_pair_after_a_reset_is_free(world, bob):
    world.reset(bob, code=world.code(bob))
    bob.headers = world.sign_in(bob.id)
    assert put(world, bob, force=False).json == {"success": True}


def test_another_public_key_asks_for_the_second_factor(world, bob):
    answer = put(world, bob)
    assert answer.status_code == 400
    assert answer.json["errorType"] == "totp-required"
    assert answer.json["details"]["method"] == "totp"
    assert stored(world, bob) == [("PUB", "PRIV")]


def test_a_wrong_code_replaces_nothing(world, bob):
    assert put(world, bob, **{"x-2fa-code": "000000"}).json["errorType"] == "totp-invalid"
    assert stored(world, bob) == [("PUB", "PRIV")]


def test_a_right_code_replaces_the_pair(world, bob):
    assert put(world, bob, **proven(world, bob)).json == {"success": True}
    assert stored(world, bob) == [("OTHER", "NEW")]


def test_a_replacement_has_all_effects_of_a_reset(world, bob):
    world.room("general", bob)
    world.sign_in(bob.id)
    put(world, bob, **proven(world, bob))
    assert world.tokens(bob) == 0
    assert [row.e2e_key for row in world.subscriptions(bob)] == [None]
    assert world.waiting(bob) == {"general"}
    assert world.outcomes()[-1] == ("replace-e2e-key", bob.id, bob.id, "totp", "reset")


def test_a_replacement_is_told_to_its_owner(world, bob):
    put(world, bob, **proven(world, bob))
    [(recipient, facts)] = world.queued("key-reset")
    assert recipient == "bob@x.org"
    assert facts["replaced"]


def test_a_code_mailed_for_a_reset_replaces_nothing(world, eve):
    world.reset(eve)
    code = world.mailed_code()
    answer = put(world, eve, **{"x-2fa-code": code})
    assert answer.json["errorType"] == "totp-invalid"
    assert stored(world, eve) == [("PUB", "PRIV")]


def test_a_mailed_code_names_the_replacement(world, eve):
    put(world, eve)
    assert world.queued("code")[0][1]["phrase"] == "replace the E2E key of eve"
    assert put(world, eve, **{"x-2fa-code": world.mailed_code()}).status_code == 200


def test_a_pair_without_its_private_half_is_no_open_door(world, bob):
    put(world, bob, "PUB", "")
    assert stored(world, bob) == [("PUB", "")]
    answer = put(world, bob, "OTHER", "NEW", force=False)
    assert answer.json["errorType"] == "totp-required"
    assert put(world, bob, "PUB", "NEW", force=False).status_code == 200


def test_no_public_key_in_the_place_of_one_is_a_replacement_too(world, bob):
    assert put(world, bob, "").json["errorType"] == "totp-required"


def test_without_force_a_pair_is_never_replaced(world, bob):
    answer = put(world, bob, force=False, **proven(world, bob))
    assert answer.json["errorType"] == "error-keys-already-set"
    assert stored(world, bob) == [("PUB", "PRIV")]


def test_the_same_public_key_wrapped_anew_is_free(world, bob):
    assert put(world, bob, "PUB", "WRAPPED").json == {"success": True}
    assert stored(world, bob) == [("PUB", "WRAPPED")]
    assert world.tokens(bob) == 1


def test_a_new_wrapping_is_told_and_recorded(world, bob):
    put(world, bob, "PUB", "WRAPPED")
    assert [recipient for recipient, _ in world.queued("key-wrapped-anew")] == ["bob@x.org"]
    assert world.outcomes()[-1] == ("set-e2e-keys", bob.id, bob.id, "", "wrapped-anew")


def test_the_very_same_pair_again_tells_nobody(world, bob):
    assert put(world, bob, "PUB", "PRIV").json == {"success": True}
    assert world.queued("key-wrapped-anew") == []


def test_a_jwk_that_is_written_otherwise_is_the_same_key(world):
    bob = world.person("bob", totp=True, key=False)
    first = json.dumps(JWK)
    put(world, bob, first)
    again = json.dumps(dict(reversed(JWK.items())) | {"ext": True}, indent=1)
    assert put(world, bob, again, "WRAPPED").status_code == 200
    assert stored(world, bob) == [(first, "WRAPPED")]


@pytest.mark.parametrize("change", [{"n": "0vx8"}, {"e": "AQAC"}, {"kty": "EC"}, {"n": ["0vx7"]}])
def test_a_jwk_of_another_key_is_another_key(world, change):
    bob = world.person("bob", totp=True, key=False)
    put(world, bob, json.dumps(JWK))
    assert put(world, bob, json.dumps(JWK | change)).json["errorType"] == "totp-required"


def test_a_jwk_that_says_a_member_twice_is_a_text(world):
    bob = world.person("bob", totp=True, key=False)
    put(world, bob, json.dumps(JWK))
    twice = json.dumps(JWK)[:-1] + ', "n": "0vx7"}'
    assert put(world, bob, twice).json["errorType"] == "totp-required"


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


@pytest.mark.parametrize("policy", ["refuse", "allow"])
def test_the_setting_decides_whether_a_key_is_replaced(world, make_server, config, policy):
    bob = world.person("bob", totp=True)
    world.client = make_server(config | {"E2ERESET_KEY_REPLACEMENT": policy}).test_client()
    answer = put(world, bob, **({} if policy == "allow" else proven(world, bob)))
    if policy == "allow":
        assert answer.status_code == 200
        assert world.outcomes()[-1] == ("replace-e2e-key", bob.id, bob.id, "off", "reset")
        assert world.tokens(bob) == 0
    else:
        assert answer.json["errorType"] == "error-not-allowed"
        assert world.outcomes()[-1][-1] == "error-not-allowed"
        assert stored(world, bob) == [("PUB", "PRIV")]


def test_a_dead_sign_in_stores_nothing(world, bob, monkeypatch):
    monkeypatch.setattr(world.runtime.accounts, "is_signed_in", lambda *_: False)
    assert put(world, bob, "PUB", "WRAPPED").status_code == 401
    assert stored(world, bob) == [("PUB", "PRIV")]


PAIRS = [{"public_key": p, "private_key": q} for p in ("EVIL", "") for q in ("EVIL", "")]
OTHERS = {
    "userId": "id-of-bob",
    "username": "bob",
    "user": "bob",
    "emailOrUsername": "bob",
    "password": "x",
    "code": "123456",
    "force": True,
}
BODIES = [
    {},
    *PAIRS,
    *(pair | {"force": force} for pair in PAIRS for force in (True, False, "true", 1)),
    *({name: value} for name, value in OTHERS.items()),
    *(pair | {name: value} for pair in PAIRS[:1] for name, value in OTHERS.items()),
]


def test_no_route_changes_a_public_key_behind_a_token_alone(world):
    bob = world.person("bob", totp=True, password="right")
    rules = [r for r in world.app.url_map.iter_rules() if r.endpoint != "static"]
    for rule, method in ((r.rule, m) for r in rules for m in r.methods - {"HEAD", "OPTIONS"}):
        kinds = ("json", "data") if method != "GET" else ("json",)
        for kind, body in ((kind, body) for kind in kinds for body in BODIES):
            world.client.open(rule, method=method, headers=bob.headers, **{kind: body})
        assert stored(world, bob)[0][0] == "PUB", (rule, method)
        bob.headers = world.sign_in(bob.id)


def test_the_password_as_fallback_replaces_too(world):
    ann = world.person("ann", password="good enough")
    assert put(world, ann, **{"x-2fa-code": sha256("good enough")}).status_code == 200


def test_a_pair_that_came_in_between_is_replaced_too(world, bob, monkeypatch):
    def drop_keys(session, account_id, now):
        world.runtime.vault.add(session, account_id, Pair("THIRD", "P"), now)
        return True

    monkeypatch.setattr(world.runtime.accounts, "drop_keys", drop_keys)
    assert put(world, bob, **proven(world, bob)).json == {"success": True}
    assert stored(world, bob) == [("OTHER", "NEW")]

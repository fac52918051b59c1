"""Older clients reach second factors by `method.call` (rows of the reference's section 4.2)."""

import json

import pyotp
import pytest

from tests.kit.client import API
from tests.kit.world import error, sha256


@pytest.fixture
def call(world):
    """Call a method as this person; the status, and the message of the answer."""

    def call(person, method, *params, name=None, headers=None):
        message = json.dumps({"msg": "method", "id": "7", "method": method, "params": params})
        url = f"{API}method.call/{name or method}"
        headers = person.headers | (headers or {})
        answer = world.client.post(url, json={"message": message}, headers=headers)
        assert answer.json["success"] is (answer.status_code == 200)
        return answer.status_code, json.loads(answer.json["message"])

    return call


@pytest.fixture
def ann(world):
    """Somebody with a password, and no second factor."""
    return world.person("ann", password="pw")


def proof(code, method):
    return {"twoFactorCode": code, "twoFactorMethod": method}


def test_a_life_of_totp_by_methods(world, call, ann):
    status, asked = call(ann, "2fa:enable")
    assert (status, asked["error"]["error"]) == (400, "totp-required")
    made = call(ann, "2fa:enable", proof(sha256("pw"), "password"))[1]["result"]
    ann.totp = pyotp.TOTP(made["secret"])
    assert made["url"].startswith("otpauth://totp/")
    assert call(ann, "2fa:validateTempToken", "000000")[1]["error"]["error"] == "invalid-totp"
    status, enabled = call(ann, "2fa:validateTempToken", world.code(ann))
    codes = enabled["result"]["codes"]
    assert (status, enabled["msg"], enabled["id"], len(codes)) == (200, "result", "7", 12)
    assert call(ann, "2fa:checkCodesRemaining")[1]["result"] == {"remaining": 12}
    assert call(ann, "2fa:regenerateCodes", "000000") == (200, {"msg": "result", "id": "7"})
    fresh = call(ann, "2fa:regenerateCodes", codes[0])[1]["result"]["codes"]
    assert call(ann, "2fa:disable", codes[1])[1]["result"] is False
    assert call(ann, "2fa:disable", fresh[0])[1]["result"] is True
    for method, params in (("2fa:regenerateCodes", ["1"]), ("2fa:checkCodesRemaining", [])):
        assert call(ann, method, *params)[1]["error"]["error"] == "invalid-totp"


def test_an_error_has_the_form_of_meteor(call, bob):
    status, answer = call(bob, "2fa:enable")
    words = "TOTP is enabled already. Disable it first"
    assert (status, answer) == (
        400,
        {
            "msg": "result",
            "id": "7",
            "error": {
                "isClientSafe": True,
                "error": "error-2fa-already-enabled",
                "reason": words,
                "message": f"{words} [error-2fa-already-enabled]",
                "errorType": "Meteor.Error",
            },
        },
    )


def test_the_own_key_is_reset_by_a_proof_in_the_headers_or_the_parameters(world, call, bob):
    asked = call(bob, "e2e.resetOwnE2EKey")[1]["error"]
    assert (asked["error"], asked["details"]["method"]) == ("totp-required", "totp")
    reset = call(bob, "e2e.resetOwnE2EKey", headers={"x-2fa-code": world.code(bob)})
    assert (reset[0], reset[1]["result"], world.has_key(bob)) == (200, True, False)
    world.clock.now += 30
    last = proof(world.code(bob), "totp")
    assert call(world.again(bob), "e2e.resetOwnE2EKey", last)[1]["result"] is True
    assert world.outcomes()[-1] == ("reset-e2e-key", bob.id, bob.id, "totp", "nothing-to-reset")


def test_a_spent_budget_says_how_long_to_wait(world, bob):
    message = json.dumps({"method": "e2e.resetOwnE2EKey", "params": [proof("000000", "totp")]})
    url = f"{API}method.call/any"
    for _ in range(6):
        answer = world.client.post(url, json={"message": message}, headers=bob.headers)
    told = json.loads(answer.json["message"])["error"]
    assert (answer.status_code, told["error"]) == (400, "totp-max-attempts")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_sign_in_that_ends_meanwhile_is_401(world, bob, monkeypatch):
    monkeypatch.setattr(world.runtime.accounts, "is_signed_in", lambda *_: False)
    message = json.dumps({"method": "e2e.resetOwnE2EKey", "params": []})
    headers = bob.headers | {"x-2fa-code": world.code(bob)}
    url = f"{API}method.call/any"
    answer = world.client.post(url, json={"message": message}, headers=headers)
    assert answer.status_code == 401


def test_the_name_in_the_address_does_not_count(call, bob):
    assert call(bob, "2fa:checkCodesRemaining", name="2fa:disable")[1]["result"]["remaining"] == 12


def test_what_cannot_be_called_is_told(world, call, bob):
    assert call(bob, "logout")[1]["error"]["error"] == 404
    for params in ([], [7], [None]):
        assert call(bob, "2fa:disable", *params)[1]["error"]["error"] == 400
    assert world.runtime.factors.status(bob.id).totp


MALFORMED = ["", "{", "[]", "7", "[" * 9999, '{"method":7}', '{"method":"a","params":{}}']
MALFORMED.append('{"method":"2fa:disable","params":["\\udc00aaaaaaa"]}')


def test_a_malformed_message_is_refused(world, bob):
    for message in MALFORMED:
        url, body = API + "method.call/2fa:enable", {"message": message}
        assert error(world.client.post(url, json=body, headers=bob.headers)) == "invalid-params"


def test_nobody_calls_a_method_without_a_sign_in(world):
    url, body = API + "method.call/2fa:enable", {"message": '{"method":"2fa:enable"}'}
    assert world.client.post(url, json=body).status_code == 401

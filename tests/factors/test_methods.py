"""The second factor of a reset, over HTTP: which method checks a proof, and when none is wanted."""

import pytest

from tests.kit.rows import row
from tests.kit.world import error, sha256


@row("12.v4.2.2.2", "13.mfa.11")
def test_the_first_enabled_method_is_asked_for(world):
    both = world.person("both", totp=True, email=True, password="pw")
    details = world.reset(both).json["details"]
    assert details == {
        "method": "totp",
        "codeGenerated": False,
        "availableMethods": ["totp", "email"],
    }


@row("10.1")
@pytest.mark.parametrize("name", ["email", "password", "sms", "TOTP", "x" * 300])
def test_a_method_that_is_not_enabled_gets_the_default_ones_challenge(world, bob, name):
    code = world.code(bob)
    for given, refusal in ((None, "totp-required"), (code, "totp-invalid")):
        response = world.reset(bob, code=given, method=name)
        assert (error(response), response.json["details"]["method"]) == (refusal, "totp")
    assert world.queued("code") == []
    assert world.reset(bob, code=code).status_code == 200


def test_the_clear_password_never_passes(world):
    carol = world.person("carol", password="pw")
    assert error(world.reset(carol, code="pw")) == "totp-invalid"
    assert error(world.reset(carol, code=sha256(sha256("pw")))) == "totp-invalid"


@row("11.N7", "12.6.3.6")
def test_mailed_codes_can_be_switched_off(with_settings, world, eve):
    world.reset(eve)
    world.clock.now += 31
    strict = with_settings(E2ERESET_METHODS=["totp"])
    assert strict.ask_again("eve").status_code == 200
    assert world.count_codes() == 1
    assert error(strict.reset(eve)) == "error-two-factor-not-available"


@row("10.8")
def test_without_any_method_one_passes_only_where_the_setting_says_so(world, with_settings):
    dave = world.person("dave")
    assert error(world.reset(dave)) == "error-two-factor-not-available"
    assert world.has_key(dave)
    assert with_settings(E2ERESET_WITHOUT_METHOD="allow").reset(dave).status_code == 200


def test_the_check_can_be_off_for_a_workspace(world, with_settings, bob, caplog):
    assert with_settings(E2ERESET_TWO_FACTOR=False).reset(bob).status_code == 200
    assert "E2ERESET_TWO_FACTOR is off" in caplog.text
    assert world.outcomes()[-1][3:] == ("off", "reset")


@row("10.9", "12.16.3.3")
@pytest.mark.parametrize(
    ("bypass", "setting", "outcome"),
    [
        (True, True, ("bypass", "reset")),
        (False, True, ("totp", "totp-required")),
        (True, False, ("totp", "totp-required")),
    ],
)
def test_a_personal_token_passes_with_bypass_where_the_setting_says_so(
    world, with_settings, bob, bypass, setting, outcome
):
    bob.headers = world.sign_in(bob.id, expires_at=None, name="ci", bypass_two_factor=bypass)
    with_settings(E2ERESET_BYPASS_TOKENS=setting).reset(bob)
    assert world.outcomes()[-1][3:] == outcome


@row("13.2.1")
def test_empty_headers_count_as_absent(world, bob):
    assert error(world.reset(bob, code="", method="")) == "totp-required"

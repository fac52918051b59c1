"""What the host promises its users."""

import pyotp
import pytest

from e2ereset import get_e2ereset, key_reset
from e2ereset.testing import enable_email, enrol_totp
from examples.host_app.models import User

RESET = "/keys/users.resetE2EKey"


@pytest.fixture
def device(app, account):
    return enrol_totp(app, account("ann"))


def test_nobody_is_signed_in_at_first(app):
    assert app.test_client().post(RESET).status_code == 401


def test_ann_enrols_and_resets_her_key(sign_in, e2ereset_clock):
    ann = sign_in("ann")
    secret = ann.post("/two-factor/begin").json["secret"]
    totp = pyotp.TOTP(secret)
    confirmed = ann.post("/two-factor/confirm", data={"code": totp.at(e2ereset_clock.now)})
    assert len(confirmed.json["backupCodes"]) == 12
    e2ereset_clock.tick(30)
    code = totp.at(e2ereset_clock.now)
    assert ann.post(RESET, headers={"x-2fa-code": code}).data == b'{"success":true}'


def test_a_wrong_first_code_does_not_confirm(sign_in):
    ann = sign_in("ann")
    ann.post("/two-factor/begin")
    refused = ann.post("/two-factor/confirm", data={"code": "nonsense"})
    assert (refused.status_code, refused.json) == (400, {"error": "Invalid TOTP [invalid-totp]"})


def test_who_is_enrolled_does_not_enrol_again(sign_in, device):
    proof = {"x-2fa-code": device.code()}
    refused = sign_in("ann").post("/two-factor/begin", headers=proof)
    assert (refused.status_code, "enabled already" in refused.json["error"]) == (400, True)


@pytest.mark.parametrize("view", ["begin", "confirm", "disable"])
def test_a_stolen_sign_in_changes_no_factor_of_who_has_one(sign_in, device, view):
    refused = sign_in("ann").post(f"/two-factor/{view}", data={"code": "123456"})
    assert (refused.status_code, refused.json["errorType"]) == (400, "totp-required")


def test_who_has_mailed_codes_adds_an_app_by_one(app, account, sign_in, e2ereset_mailbox):
    enable_email(app, account("ann"))
    ann = sign_in("ann")
    assert ann.post("/two-factor/begin").json["errorType"] == "totp-required"
    proof = {"x-2fa-code": e2ereset_mailbox.code_for("ann@x.org")}
    assert ann.post("/two-factor/begin", headers=proof).json["secret"]


def test_ann_disables_her_app_by_it(app, account, sign_in, device):
    proof = {"x-2fa-code": device.code()}
    assert sign_in("ann").post("/two-factor/disable", headers=proof).json == {"disabled": True}
    with app.app_context():
        assert not get_e2ereset().factors.status(account("ann").id).totp


def test_a_reset_signs_ann_out_everywhere(sign_in, device):
    here, there = sign_in("ann"), sign_in("ann")
    assert here.post(RESET, headers={"x-2fa-code": device.code()}).status_code == 200
    for client in (here, there):
        assert client.post(RESET).status_code == 401


def test_staff_reset_bobs_key_by_a_mailed_code(app, account, sign_in, e2ereset_mailbox):
    enable_email(app, account("sue"))
    sue, body = sign_in("sue"), {"username": "BOB"}
    assert sue.post(RESET, json=body).json["details"]["method"] == "email"
    code = e2ereset_mailbox.code_for("sue@x.org")
    assert sue.post(RESET, json=body, headers={"x-2fa-code": code}).status_code == 200
    assert "sue" in e2ereset_mailbox.messages_to("bob@x.org")[0].text


def test_ann_may_not_reset_bobs_key(sign_in, device):
    headers = {"x-2fa-code": device.code()}
    response = sign_in("ann").post(RESET, json={"username": "bob"}, headers=headers)
    assert response.json["errorType"] == "error-not-allowed"


@pytest.mark.parametrize("nobody", ["x", "99", "9" * 30, "\u0661", "\u00b2"])
def test_an_id_of_nobody_is_refused(app, account, sign_in, nobody):
    headers = {"x-2fa-code": enrol_totp(app, account("sue")).code()}
    response = sign_in("sue").post(RESET, json={"userId": nobody}, headers=headers)
    assert response.json["errorType"] == "error-invalid-user"


@pytest.mark.parametrize("pattern", ["b%", "___"])
def test_a_name_is_no_pattern(app, account, sign_in, pattern):
    headers = {"x-2fa-code": enrol_totp(app, account("sue")).code()}
    response = sign_in("sue").post(RESET, json={"username": pattern}, headers=headers)
    assert response.json["errorType"] == "error-invalid-user"


def test_the_hosts_own_view_is_behind_the_same_gate(sign_in, device):
    ann = sign_in("ann")
    assert ann.delete("/projects/1").json["errorType"] == "totp-required"
    response = ann.delete("/projects/1", headers={"x-2fa-code": device.code()})
    assert response.json == {"deleted": 1}


def test_view_and_reset_share_one_budget(sign_in, device):
    ann = sign_in("ann")
    for _ in range(5):
        ann.delete("/projects/1", headers={"x-2fa-code": "000000"})
    response = ann.post(RESET, headers={"x-2fa-code": device.code()})
    assert response.json["errorType"] == "totp-max-attempts"


def test_a_code_for_the_view_is_worth_nothing_elsewhere(app, account, sign_in, e2ereset_mailbox):
    enable_email(app, account("ann"))
    ann = sign_in("ann")
    ann.delete("/projects/1")
    headers = {"x-2fa-code": e2ereset_mailbox.code_for("ann@x.org")}
    assert ann.post(RESET, headers=headers).json["errorType"] == "totp-invalid"
    assert ann.delete("/projects/2", headers=headers).json["errorType"] == "totp-invalid"
    assert ann.delete("/projects/1", headers=headers).json == {"deleted": 1}


def test_the_host_hears_of_resets(app, sign_in, device):
    heard = []

    def listen(sender, receipt):
        heard.append((sender, receipt.target.username, receipt.method))

    with key_reset.connected_to(listen):
        sign_in("ann").post(RESET, headers={"x-2fa-code": device.code()})
    assert heard == [(app, "ann", "totp")]


def test_the_user_class_knows_nothing_of_e2ereset():
    assert {column.name for column in User.__table__.columns} == {
        *("id", "name", "name_key", "email", "email_confirmed", "is_staff", "password", "sign_in")
    }

"""What the host promises its users."""

import pytest

from e2ereset import get_e2ereset, key_reset
from e2ereset.testing import TotpDevice, enable_email, enrol_totp
from examples.host_app.models import User

RESET = "/keys/users.resetE2EKey"


@pytest.fixture
def device(app, account):
    return enrol_totp(app, account("ann"))


def test_nobody_is_signed_in_at_first(app):
    assert app.test_client().post(RESET).status_code == 401


@pytest.fixture
def enrolled(sign_in, e2ereset_clock, e2ereset_mailbox):
    """Ann's client that has enrolled mailed codes, then her authenticator app, and the app."""
    ann = sign_in("ann")
    e2ereset_clock.tick(60)
    assert ann.post("/keys/users.2fa.enableEmail").status_code == 200
    assert ann.post("/keys/users.enableTotp").json["errorType"] == "totp-required"
    mailed = {"x-2fa-code": e2ereset_mailbox.code_for("ann@x.org")}
    begun = ann.post("/keys/users.enableTotp", headers=mailed).json
    phone = TotpDevice(begun["secret"], e2ereset_clock)
    confirmed = ann.post("/keys/users.validateTotp", json={"code": phone.next_code()})
    assert len(confirmed.json["codes"]) == 12
    return ann, phone


def test_ann_enrols_and_resets_her_key_when_she_signs_in_again(enrolled, sign_in):
    proof = {"x-2fa-code": enrolled[1].next_code()}
    assert sign_in("ann").post(RESET, headers=proof).data == b'{"success":true}'


def test_a_stolen_sign_in_is_not_proven_by_the_app_that_it_enrols(enrolled):
    ann, phone = enrolled
    refused = ann.post(RESET, headers={"x-2fa-code": phone.next_code()})
    assert refused.json["errorType"] == "error-two-factor-not-available"


@pytest.mark.parametrize("route", ["users.enableTotp", "users.2fa.enableEmail"])
def test_a_stolen_sign_in_adds_no_factor_to_another(app, account, sign_in, route):
    enable_email(app, account("ann"))
    refused = sign_in("ann").post(f"/keys/{route}")
    assert (refused.status_code, refused.json["errorType"]) == (400, "totp-required")


def test_ann_disables_her_app_by_it(app, account, sign_in, device):
    code = {"code": device.code()}
    assert sign_in("ann").post("/keys/users.disableTotp", json=code).json["disabled"]
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


def test_a_form_is_led_to_the_page_of_the_proof_and_the_password_proves_it(sign_in):
    browser = sign_in("bob")  # he has no other factor
    browser.environ_base["HTTP_ACCEPT"] = "text/html"
    proof = browser.post("/projects/1/delete").location
    assert "password" in browser.get(proof).text
    assert browser.post(proof, data={"code": "ann", "method": "password"}).status_code == 400
    back = browser.post(proof, data={"code": "bob", "method": "password"})
    assert back.location == "/projects"
    assert browser.get("/projects").text == ""


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
        *("id", "name", "email", "email_confirmed", "role", "password", "sign_in")
    }

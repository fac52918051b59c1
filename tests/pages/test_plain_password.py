"""A host hashes the password itself: it is a proof on the page, and over the API it is none."""

from hashlib import sha256

import pytest

from e2ereset.errors import Busy
from e2ereset.testing import MemoryAccounts, make_account
from tests.kit.pages import BROWSER

ANN = make_account("ann", has_password=True, password_by_page=True)
PLAIN = " pass word "
DIGEST = sha256(PLAIN.encode()).hexdigest()


class PlainAccounts(MemoryAccounts):
    """Ann's password, in the place of its digest."""

    busy = False

    def check_plain_password(self, _session, account_id, password):
        if self.busy:
            raise Busy("as many as may be")
        return (account_id, password) == (ANN.id, PLAIN)


@pytest.fixture
def plain(make_host, without):
    options = {"areas": ["reset", "pages"]}
    host = make_host(accounts=PlainAccounts(ANN), options=options, E2ERESET_WITHOUT_METHOD=without)
    host.guard(view=lambda: "dropped")
    host.browser = host.app.test_client()
    host.browser.environ_base |= {"HTTP_HOST_USER": ANN.id, "HTTP_ACCEPT": BROWSER["Accept"]}
    return host


@pytest.fixture
def without():
    return "refuse"


def proof_page(host):
    response = host.browser.post("/r", headers=BROWSER)
    assert response.status_code == 303
    return response.location


def test_the_password_is_typed_into_the_page_as_it_is(plain):
    page = proof_page(plain)
    assert 'type="password"' in plain.browser.get(page).text
    for wrong in (PLAIN.strip(), DIGEST):
        again = plain.browser.post(page, data={"code": wrong, "method": "password"})
        assert again.status_code == 400
        assert wrong not in again.text
    done = plain.browser.post(page, data={"code": PLAIN, "method": "password"})
    assert (done.status_code, done.text) == (200, "dropped")


@pytest.mark.parametrize("code", [None, DIGEST, PLAIN])
@pytest.mark.parametrize("without", ["refuse", "allow"])
def test_the_api_takes_no_such_password_and_spares_nobody_the_proof(plain, code, without):
    for answer in (plain.reset(ANN, code), plain.post("/r", ANN, code)):
        assert (answer.status_code, answer.json["errorType"]) == (
            400,
            "error-two-factor-not-available",
        )
    assert plain.audited()[-1][2] == "error-two-factor-not-available"


def test_without_pages_the_password_is_no_factor(make_host):
    host = make_host(accounts=PlainAccounts(ANN), E2ERESET_WITHOUT_METHOD="allow")
    assert host.reset(ANN).status_code == 200
    assert host.post("/api/v1/users.enableTotp", ANN).status_code == 200


def test_a_form_stays_while_too_many_passwords_are_hashed_at_once(plain):
    page, form = proof_page(plain), {"code": PLAIN, "method": "password"}
    plain.accounts.busy = True
    answer = plain.browser.post(page, data=form)
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    plain.accounts.busy = False
    assert plain.browser.post(page, data=form).text == "dropped"


def test_a_client_cannot_say_that_it_is_a_page(plain):
    headers = {"Host-User": ANN.id, "e2ereset.proof": "x", "X-2fa-Method": "password"}
    answer = plain.app.test_client().post("/r", headers=headers)
    assert answer.json["errorType"] == "error-two-factor-not-available"


def test_nobody_is_told_of_ends_that_the_host_does_not_make(plain):
    assert "Sign-ins that end" not in plain.browser.get("/security/reset").text
    assert "<main" in (page := plain.browser.get("/security/?done=email-on").text)
    assert "Codes by e-mail are on.</p>" in page
    assert "sign-ins have ended" not in page
    asks, done = (plain.browser.open("/security/not-me", method=m).text for m in ("GET", "POST"))
    assert ("It holds resets" in asks, "It ends all your sign-ins" in asks) == (True, False)
    assert ("End your other sign-ins in this app." in done, "have ended" in done) == (True, False)

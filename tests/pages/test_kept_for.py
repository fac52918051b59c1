"""For whom a form is kept while it waits for its proof, and what a proof shows."""

import pytest

from e2ereset import Caller, two_factor_required
from tests.kit.host import BOB, SUE
from tests.kit.pages import BROWSER, PagesHost


class Plan(PagesHost):
    """A host that has plans, each with a page and a form at one address."""

    def add_routes(self):
        super().add_routes()

        @self.app.route("/plan/<name>", methods=["GET", "POST"])
        @two_factor_required("open-plan", target=lambda name: name)
        def open_plan(name):
            return name

        @self.app.get("/plan/<name>/notes")
        @two_factor_required("open-notes", target=lambda name: name)
        def open_notes(name):
            return name


def test_a_proof_for_a_page_is_for_that_page_alone_and_for_two_minutes(make_host):
    host = make_host("pages", kind=Plan)
    for seconds, wanted in ((119, 200), (120, 303)):
        proof = host.led(host.browser.get("/plan/a"))
        code = {"code": host.totp.next_code()}
        assert host.browser.post(proof, data=code).location == "/plan/a"
        host.led(host.browser.get("/plan/b"))
        host.led(host.browser.get("/plan/a/notes"))
        host.led(host.browser.post("/plan/a", headers=BROWSER))
        host.clock.tick(seconds)
        assert host.browser.get("/plan/a").status_code == wanted


class Switching(PagesHost):
    """A host whose browser is now one caller's, now another's."""

    caller = Caller(account=BOB, sign_in="first")

    def identify(self):
        return self.caller


@pytest.mark.parametrize(
    "other", [Caller(account=SUE, sign_in="first"), Caller(account=BOB, sign_in="second"), None]
)
def test_another_person_or_sign_in_in_the_same_browser_finds_no_kept_form(make_host, other):
    host = make_host("pages", kind=Switching)
    proof, first = host.drop(), host.caller
    host.caller = other
    assert host.browser.get(proof).status_code == 410
    assert host.browser.post(proof, data={"code": host.totp.code()}).status_code == 410
    host.caller = first
    assert (host.done, host.browser.get(proof).status_code) == ([], 200)


class Newest(PagesHost):
    """A host with a form for whichever project is the newest."""

    newest = "atlas"

    def add_routes(self):
        super().add_routes()

        @self.app.post("/drop-newest")
        @two_factor_required("drop", target=lambda: self.newest)
        def drop_newest():
            self.done.append(self.newest)
            return "dropped"


def test_a_proof_is_for_what_its_page_has_said(make_host):
    host = make_host("pages", kind=Newest)
    proof = host.led(host.browser.post("/drop-newest", headers=BROWSER))
    assert "drop atlas" in host.browser.get(proof).text
    host.newest = "zeus"
    code = {"code": host.totp.code()}
    page = host.browser.post(proof, data=code)
    assert (page.status_code, "drop zeus" in page.text, host.done) == (200, True, [])
    assert "drop zeus" in host.browser.get(proof).text
    assert host.browser.post(proof, data=code).text == "dropped"  # it was not looked at before
    assert host.done == ["zeus"]

"""The page of one's sign-ins: which there are, and ending them."""

import re

from e2ereset.records import SignIn
from e2ereset.testing import MemoryAccounts
from tests.kit.host import BOB
from tests.kit.pages import PagesHost, browser_of

PAGE = "/security/sign-ins"
KEY = re.compile(r'name="key" value="([^"]+)"')
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def test_one_of_several_sign_ins_is_ended(world):
    dora = world.person("dora", password="pw of dora")
    browser = browser_of(world, dora)
    assert "There is no other sign-in." in browser.get(PAGE).text
    other = world.app.test_client()
    form = {"name": "dora", "password": "pw of dora"}
    other.post("/sign-in", data=form, headers={"User-Agent": FIREFOX})
    world.sign_in(dora.id, name="script", expires_at=None)
    page = browser.get(PAGE).text
    assert "Firefox on Linux" in page
    assert "From the address 127.0.0.1." in page
    assert page.index("You are using this one now.") < page.index("Firefox on Linux")
    keys = KEY.findall(page)
    assert len(keys) == 2
    for key in keys:
        ended = browser.post(f"{PAGE}/end", data={"key": key})
        assert "It has ended." in browser.get(ended.location).text
    assert other.get(PAGE).status_code == 303
    assert world.tokens(dora) == 1
    told = {facts["change"] for _, facts in world.queued("account-changed")}
    assert told == {"A sign-in was ended", "The personal access token script was ended"}
    assert ("end-sign-in", dora.id, dora.id, "off", "done") in world.outcomes()


def test_all_others_are_ended_at_once(world, bob):
    browser, others = browser_of(world, bob), [world.sign_in(bob.id) for _ in range(2)]
    world.sign_in(bob.id, name="script", expires_at=None)
    assert len(others) == 2
    browser.post(f"{PAGE}/end-others")
    page = browser.get(PAGE).text
    assert "There is no other sign-in." in page
    assert "Token script" in page


def test_the_many_of_programs_go_on_on_the_next_page(world, bob):
    browser = browser_of(world, bob)
    for _ in range(60):
        world.sign_in(bob.id)
    for number in range(60):
        world.sign_in(bob.id, name=f"t{number}", expires_at=None)
    first, second, third = (browser.get(f"{PAGE}?page={n}").text for n in (1, 2, 3))
    assert len(KEY.findall(first)) == 49  # and the one in use
    keys = {key for page in (first, second, third) for key in KEY.findall(page)}
    assert len(keys) == 120
    assert ("You are using" in first, "Token" in first, "?page=2" in first) == (True, False, True)
    assert "End all other sign-ins" in third  # where none is listed
    assert (third.count(">Token "), "?page=4" in third) == (21, False)
    assert max(len(page) for page in (first, second, third)) < 40_000


def test_nobody_ends_what_is_another_persons(world, bob, eve):
    key = KEY.search(browser_of(world, bob).get(PAGE).text)
    assert key is None  # it is the only one
    world.sign_in(bob.id)
    key = KEY.search(browser_of(world, bob).get(PAGE).text)[1]
    assert browser_of(world, eve).post(f"{PAGE}/end", data={"key": key}).status_code == 303
    assert world.tokens(bob) == 2
    assert not world.queued("account-changed")


class OnlyListing(MemoryAccounts):
    """Accounts of a host that lists sign-ins and ends one of them, but not all others."""

    def list_sign_ins(self, session, account_id, now):
        return [SignIn(sign_in=one, began_at=now) for one in ("", "other")]

    def end_sign_in(self, session, account_id, sign_in):
        return True


def test_where_others_cannot_be_ended_at_once_it_is_not_said_that_there_are_none(make_host):
    host = make_host("lists", kind=PagesHost, accounts=OnlyListing(BOB))
    page = host.browser.get(PAGE).text
    assert (len(KEY.findall(page)), "End all other sign-ins" in page) == (1, False)
    assert "There is no other sign-in." not in page


class Listing(MemoryAccounts):
    """Accounts of a host that can only end all other sign-ins."""

    ended = ()

    def end_other_sessions(self, session, account_id, sign_in):
        self.ended = (account_id, sign_in)
        return 1


def test_a_host_that_lists_none_may_still_end_all_others(make_host):
    host = make_host("ends", kind=PagesHost, accounts=Listing(BOB))
    assert "End all other sign-ins" in host.browser.get(PAGE).text
    host.browser.post(f"{PAGE}/end-others")
    assert host.accounts.ended == (BOB.id, "")


def test_a_host_that_can_neither_has_no_such_page(pages):
    assert pages.browser.get(PAGE).status_code == 404
    assert "sign-ins" not in pages.browser.get("/security/").text

"""A host whose pages are on, and a browser that looks at them."""

import re

import pytest
from flask import request, session

from e2ereset import two_factor_required
from e2ereset.pages.site import find_site
from tests.kit.cookie_host import CookieHost

HTML = {"Accept": "text/html,*/*;q=0.8"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Site": "same-origin"}


class PagesHost(CookieHost):
    """A host whose pages are on, with a form and a page behind the gate."""

    def __init__(self, uri, **config):
        super().__init__(uri, options={"areas": ["reset", "keys", "pages"]}, **config)
        self.browser.environ_base |= {"HTTP_ACCEPT": BROWSER["Accept"]}
        self.done = []

    def add_routes(self):
        super().add_routes()

        @self.app.post("/drop/<name>")
        @two_factor_required("drop", target=lambda name: name)
        def drop(name):
            session["dropped"] = name
            self.done.append((name, request.form.getlist("why"), request.query_string))
            return f"dropped {name}"

        @self.app.get("/plans")
        @two_factor_required("see-plans")
        def plans():
            return "the plans"

    def led(self, response):
        """The address of the page of the proof."""
        assert response.status_code == 303
        assert re.fullmatch(r"/security/proof/[\w-]+", response.location)
        return response.location

    def drop(self, name="atlas"):
        url = f"/drop/{name}?from=list"
        return self.led(self.browser.post(url, data={"why": ["old", "ü & b"]}, headers=BROWSER))


def browser_of(world, person):
    """A browser in which somebody is signed in to the pages of the server."""
    browser = world.app.test_client()
    browser.environ_base |= {"HTTP_ACCEPT": BROWSER["Accept"]}
    token = person.headers["X-Auth-Token"]
    browser.set_cookie("e2ereset_sign_in", f"{person.id}:{token}")
    return browser


def addresses(world, method, gap="id-of-carol"):
    """The addresses of the pages with this method, with something in each gap."""
    names = find_site(world.app).names
    rules = world.app.url_map.iter_rules()
    ours = [r for r in rules if r.endpoint.partition(".")[0] in names and method in r.methods]
    return sorted(re.sub("<[^>]+>", gap, rule.rule) for rule in ours)


def prove(browser, led, code, **more):
    """Give a code on the page of the proof that this answer leads to."""
    assert "/security/proof/" in led.location
    return browser.post(led.location, data={"code": code, **more})


@pytest.fixture
def pages(make_host):
    return make_host("pages", kind=PagesHost)

"""A host whose sign-in is Flask's session cookie, with one view behind the gate."""

from functools import partial

import pytest
from flask import request, session

from e2ereset import Caller, two_factor_required
from e2ereset.testing import MemoryAccounts, enrol_totp
from tests.kit.client import SET_KEYS
from tests.kit.host import BOB, Host

MINE = {"public_key": "mine", "private_key": "mine"}


class CookieHost(Host):
    """One host, and bob's browser, which is signed in and has stored a key pair."""

    def __init__(self, uri, **config):
        super().__init__(uri, **{"accounts": MemoryAccounts(BOB)} | config)
        self.opened = []
        self.add_routes()
        self.totp = enrol_totp(self.app, BOB)
        self.browser = self.app.test_client()
        self.browser.get("/in")
        assert self.browser.post(SET_KEYS, json=MINE).status_code == 200

    def identify(self):
        return Caller(account=BOB) if session.get("user") else None

    def add_routes(self):
        @self.app.get("/in")
        def sign_in():
            session["user"] = "bob"
            return "in"

        @self.app.get("/projects/")
        def projects():
            return "all projects"

        @self.app.route("/vault", methods=["GET", "POST"])
        @two_factor_required("open-vault")
        def vault():
            self.opened.append(request.get_data())
            return "open"

    def code(self):
        return {"x-2fa-code": self.totp.code()}

    def keys(self):
        found = self.browser.get("/api/v1/e2e.fetchMyKeys").json
        return {name: found.get(name) for name in MINE}


@pytest.fixture
def make_cookie_host(make_host):
    return partial(make_host, "cookies", kind=CookieHost)


@pytest.fixture
def cookie_host(make_cookie_host):
    return make_cookie_host()

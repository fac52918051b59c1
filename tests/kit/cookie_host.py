"""A host whose sign-in is Flask's session cookie, with one view behind the gate."""

import pytest
from flask import Flask, request, session
from flask_sqlalchemy import SQLAlchemy

from e2ereset import Caller, E2EReset, get_e2ereset, two_factor_required
from e2ereset.audit.models import AuditRow
from e2ereset.testing import FakeClock, MemoryAccounts, enrol_totp, make_account

BOB = make_account("bob")
RESET = "/api/v1/users.resetE2EKey"
SET_KEYS = "/api/v1/e2e.setUserPublicAndPrivateKeys"
MINE = {"public_key": "mine", "private_key": "mine"}


class CookieHost:
    """One host, and bob's browser, which is signed in and has stored a key pair."""

    def __init__(self, uri, **config):
        self.clock, self.db, self.app = FakeClock(), SQLAlchemy(), Flask("host")
        self.app.config.from_mapping(
            TESTING=True, SECRET_KEY="a key for tests only", SQLALCHEMY_DATABASE_URI=uri
        )
        self.app.config.from_mapping(config)
        self.db.init_app(self.app)
        options = {"db": self.db, "accounts": MemoryAccounts(BOB), "identify": self.identify}
        E2EReset(self.app, clock=self.clock, **options)
        with self.app.app_context():
            self.db.create_all()
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

    def outcomes(self):
        with get_e2ereset(self.app).transactions.read() as opened:
            return [row.outcome for row in opened.query(AuditRow)]


@pytest.fixture
def make_cookie_host(make_database):
    hosts = []

    def make(**config):
        hosts.append(CookieHost(make_database("cookies"), **config))
        return hosts[-1]

    yield make
    for host in hosts:
        with host.app.app_context():
            host.db.engine.dispose()


@pytest.fixture
def cookie_host(make_cookie_host):
    return make_cookie_host()

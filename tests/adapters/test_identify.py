"""Who is signed in by Flask-Login, and since when."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from flask import session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_sqlalchemy import SQLAlchemy

from e2ereset import SQLAlchemyAccounts, flask_login_identify, flask_security_identify, identify_by
from e2ereset.errors import SettingsError
from e2ereset.testing import MemoryAccounts

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


@pytest.fixture
def make(make_host):
    def make(identify=flask_login_identify, accounts=None):
        db, manager = SQLAlchemy(), LoginManager()

        class User(UserMixin, db.Model):
            id = db.Column(db.Integer, primary_key=True)
            username = db.Column(db.String(80))
            alias = db.Column(db.String(80), default="another id")

            def get_id(self):
                return self.alias

        def by_alias(alias):
            return db.session.query(User).filter_by(alias=alias).one_or_none()

        manager.user_loader(by_alias)
        manager.request_loader(lambda request: by_alias(request.headers.get("X-Token")))
        accounts = accounts or SQLAlchemyAccounts(User)
        host = make_host(
            "logins", db=db, accounts=accounts, identify=identify, before=manager.init_app
        )
        host.callers = []

        @host.app.post("/in")
        @host.app.post("/in/<int:user_id>")
        def sign_in(user_id=1):
            login_user(db.session.get(User, user_id), remember=True)
            return "in"

        @host.app.get("/out")
        def sign_out():
            logout_user()
            return "out"

        @host.app.get("/forget")
        def forget():
            session.pop("_e2ereset")
            session["fs_paa"] = 1234.5
            return "forgotten"

        @host.app.get("/who")
        def who():
            host.callers.append(host.runtime.gates.identify())
            return "seen"

        with host.app.app_context():
            db.session.add(User(id=1, username="bob"))
            db.session.add(User(id=2, username="eve", alias="eve's"))
            db.session.commit()
        host.browser = host.app.test_client()
        return host

    return make


def seen(host, *paths, **options):
    for path in paths:
        assert host.browser.get(path).status_code == 200
    host.browser.get("/who", **options)
    return host.callers[-1]


def test_a_caller_is_who_has_signed_in_and_when(make):
    host = make()
    assert seen(host) is None
    host.browser.post("/in")
    began = host.clock.now
    host.clock.tick(60)
    bob = seen(host, headers={"User-Agent": AGENT})
    assert (bob.account.id, bob.account.username) == ("1", "bob")
    assert (bob.address, bob.agent, bob.signed_in_at) == ("127.0.0.1", "Firefox on Linux", began)
    assert seen(host).sign_in == bob.sign_in != ""
    host.browser.post("/in")
    again = seen(host)
    assert again.signed_in_at == host.clock.now
    assert again.sign_in != bob.sign_in
    assert seen(host, "/out") is None


@pytest.mark.parametrize(
    ("identify", "began"), [(flask_login_identify, 0), (flask_security_identify, 1234)]
)
def test_no_factor_is_younger_than_a_sign_in_of_which_nothing_is_noted(make, identify, began):
    host = make(identify)
    host.browser.post("/in")
    assert (seen(host, "/forget").signed_in_at, seen(host).sign_in) == (began, "")


def test_a_sign_in_by_remember_me_is_not_known_since_when(make):
    host = make()
    host.browser.post("/in")
    host.browser.delete_cookie("session")
    assert seen(host).signed_in_at == 0


@pytest.mark.parametrize("identify", [flask_login_identify, flask_security_identify])
def test_what_is_noted_of_one_person_holds_for_no_other(make, identify):
    host = make(identify)
    host.browser.post("/in")
    stolen = host.browser.get_cookie("remember_token").decoded_value
    host.browser = host.app.test_client()  # a thief's, who signs in by themselves first
    host.browser.post("/in/2")
    with host.browser.session_transaction() as kept:
        kept["fs_paa"] = host.clock.now
    host.browser.get("/out")
    host.browser.set_cookie("remember_token", stolen)
    bob = seen(host)
    assert (bob.account.username, bob.signed_in_at, bob.sign_in) == ("bob", 0, "")


def test_of_who_is_known_by_a_token_no_time_is_known(make):
    bob = seen(make(), headers={"X-Token": "another id"})
    assert (bob.account.id, bob.signed_in_at, bob.sign_in) == ("1", None, "")


def test_an_app_without_flask_login_is_told_what_to_call(make_host):
    host = make_host(identify=flask_login_identify)
    with pytest.raises(SettingsError, match=r"Call login_manager\.init_app"):
        host.app.test_client().post("/api/v1/users.resetE2EKey")


def test_accounts_that_know_no_users_are_named(make):
    host = make(accounts=MemoryAccounts())
    host.browser.post("/in")
    with pytest.raises(SettingsError, match="account"):
        seen(host)


def test_a_function_of_the_host_says_who_is_signed_in(make):
    user = {}
    host = make(identify_by(lambda: user.get("now"), since=lambda: 77))
    assert seen(host) is None
    user["now"] = SimpleNamespace(id=5, username="ann")
    ann = seen(host, headers={"User-Agent": AGENT})
    told = (ann.account.username, ann.address, ann.agent, ann.signed_in_at)
    assert told == ("ann", "127.0.0.1", "Firefox on Linux", 77)


@pytest.mark.parametrize("user", [current_user, None])
def test_what_gives_no_user_is_refused_at_once(user):
    with pytest.raises(SettingsError, match="give flask_login_identify"):
        identify_by(user)


@pytest.mark.slow
def test_nothing_of_them_is_loaded_before_it_is_used():
    wanted = {"flask_login", "flask_security", "bcrypt", "segno", "fido2", "zoneinfo"}
    wanted |= {"e2ereset.adapters.accounts", "e2ereset.hashes", "e2ereset.pages"}
    code = f"import sys, e2ereset; print({wanted} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

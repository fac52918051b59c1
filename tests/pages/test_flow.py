"""A browser that meets the gate is led to the page of the proof, and back to what it wanted."""

from functools import partial
from io import BytesIO
from secrets import token_hex
from urllib.parse import quote, unquote

import pytest
from flask import request, session
from flask.sessions import SecureCookieSession, SessionInterface
from flask_login import LoginManager

from e2ereset import two_factor_required
from e2ereset.audit.models import AuditRow
from e2ereset.errors import SettingsError
from e2ereset.kept.service import MOST, Kept, KeptRequests
from e2ereset.pages.flow import COOKIE
from e2ereset.records import Action, Caller
from tests.kit.host import BOB, SUE
from tests.kit.live import at_once
from tests.kit.pages import BROWSER, PagesHost
from tests.kit.rows import row


def test_a_form_is_kept_while_its_sender_proves_who_they_are(pages):
    proof = pages.drop()
    page = pages.browser.get(proof)
    assert (page.status_code, "drop atlas" in page.text) == (200, True)
    done = pages.browser.post(proof, data={"code": pages.totp.code(), "method": "totp"})
    assert (done.status_code, done.text) == (200, "dropped atlas")
    assert pages.done == [("atlas", ["old", "ü & b"], b"from=list")]
    with pages.browser.session_transaction() as kept:
        assert kept["dropped"] == "atlas"


@pytest.mark.parametrize(
    ("sender", "back"),
    [
        ("http://localhost/plans?year=2&a=%22", "/plans?year=2&amp;a=%22"),
        ("http://localhost/drop/atlas", "/security/"),  # it takes forms alone
        ("http://localhost/security/proof/none", "/security/"),
        ("http://localhost/nothing", "/security/"),
        ("http://evil.example/plans", "/security/"),
        ("http://localhost//evil.example/plans", "/security/"),
        ("http://[", "/security/"),
        ("", "/security/"),
    ],
)
def test_cancel_leads_back_to_the_page_that_the_form_was_sent_from(pages, sender, back):
    headers = {**BROWSER, "Referer": sender}
    proof = pages.led(pages.browser.post("/drop/atlas", headers=headers))
    assert f'href="{back}">Cancel</a>' in pages.browser.get(proof).text
    again = pages.browser.post(proof, data={"code": "000000"})
    assert f'href="{back}">Cancel</a>' in again.text


def test_cancel_leads_back_below_the_address_of_the_app(pages):
    base = "http://localhost/app"
    headers = {**BROWSER, "Referer": f"{base}/plans"}
    led = pages.browser.post("/drop/atlas", base_url=base, headers=headers)
    page = pages.browser.get(led.location.removeprefix("/app"), base_url=base)
    assert 'href="/app/plans">Cancel</a>' in page.text


def test_a_proof_that_comes_in_chunks_repeats_a_form_that_did_not(pages):
    proof, code = pages.drop(), BytesIO(f"code={pages.totp.code()}".encode())
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    chunked["CONTENT_LENGTH"] = ""
    kind = "application/x-www-form-urlencoded"
    done = pages.browser.post(
        proof, input_stream=code, content_type=kind, environ_overrides=chunked
    )
    assert done.text == "dropped atlas"


def test_a_page_is_shown_at_its_own_address_after_the_proof(pages):
    proof = pages.led(pages.browser.get("/plans?year=2"))
    back = pages.browser.post(proof, data={"code": pages.totp.code()})
    assert (back.status_code, back.location) == (303, "/plans?year=2")
    assert pages.browser.get(back.location).text == "the plans"
    pages.led(pages.browser.get("/plans"))  # one proof shows it once


def test_the_audit_log_has_the_address_of_who_proves_a_page(pages):
    """Also where the host's own `identify` tells none."""
    proof = pages.led(pages.browser.get("/plans"))
    pages.browser.post(proof, data={"code": "000000"})
    pages.browser.post(proof, data={"code": pages.totp.code()})
    with pages.runtime.transactions.read() as session:
        rows = session.query(AuditRow).filter_by(action="see-plans").order_by(AuditRow.id).all()
        assert [row.outcome for row in rows] == ["totp-required", "totp-invalid", "passed"]
        assert {row.address for row in rows} == {"127.0.0.1"}


class Crashing(PagesHost):
    """A host whose view fails once, with a page of its own for that."""

    def add_routes(self):
        super().add_routes()
        self.app.config["PROPAGATE_EXCEPTIONS"] = False
        self.app.register_error_handler(500, lambda _error: ("the host's page", 500))

        @self.app.post("/crash")
        @two_factor_required("crash")
        def crash():
            self.done.append(request.form["why"])
            return "done" if len(self.done) > 1 else {}["nothing"]


def test_a_form_stays_when_the_view_fails(make_host):
    host = make_host("pages", kind=Crashing)
    proof = host.led(host.browser.post("/crash", data={"why": "old"}, headers=BROWSER))
    failed = host.browser.post(proof, data={"code": host.totp.code()})
    assert (failed.status_code, failed.text) == (500, "the host's page")
    assert host.browser.post(proof, data={"code": host.totp.code()}).status_code == 400
    assert host.browser.post(proof, data={"code": host.totp.next_code()}).text == "done"
    assert host.done == ["old", "old"]


class OnTheServer(SessionInterface):
    """Sessions that are kept on the server, as Flask-Session keeps them: the cookie has an id."""

    def __init__(self):
        self.stored = {}

    def open_session(self, app, request):
        sid = request.cookies.get("session", token_hex())
        opened = SecureCookieSession(self.stored.get(sid, {}))
        opened.sid = sid
        return opened

    def save_session(self, app, session, response):
        self.stored[session.sid] = dict(session)
        response.set_cookie("session", session.sid)


class Elevating(PagesHost):
    """A host that gives a session another id once it may do more."""

    def add_routes(self):
        super().add_routes()
        self.app.session_interface = OnTheServer()

        @self.app.post("/elevate")
        @two_factor_required("elevate")
        def elevate():
            del self.app.session_interface.stored[session.sid]
            session["elevated"], session.sid = True, "another"
            return "done"


def test_another_id_that_the_view_gives_the_session_stays(make_host):
    host = make_host("pages", kind=Elevating)
    proof = host.led(host.browser.post("/elevate", headers=BROWSER))
    assert host.browser.post(proof, data={"code": host.totp.code()}).text == "done"
    assert host.browser.get_cookie("session").value == "another"
    assert list(host.app.session_interface.stored) == ["another"]


class EveryPath(PagesHost):
    """A host that has a page behind the gate at every path, and a sign-in of its own."""

    def add_routes(self):
        super().add_routes()
        self.app.add_url_rule("/login", "login")

        @self.app.get("/<path:name>")
        @two_factor_required("see-page")
        def see(name):
            return name


@row("9.23")
@pytest.mark.parametrize("path", ["/%09/b.example", "/%5C/b.example", "/a%3Fb%23c", "/%2F%2Fb/ü"])
@pytest.mark.parametrize("prefix", ["", "/apps"])
def test_nobody_is_led_to_another_site(make_host, path, prefix):
    host = make_host("pages", kind=EveryPath, E2ERESET_SIGN_IN_PAGE="login")
    under = {"SCRIPT_NAME": prefix}
    proof = host.browser.get(path, environ_overrides=under).location.removeprefix(prefix)
    code = {"code": host.totp.code()}
    back = host.browser.post(proof, data=code, environ_overrides=under).location
    stranger = host.app.test_client().get(path, environ_overrides=under, headers=BROWSER)
    wanted = f"{prefix}/{unquote(path).lstrip('/')}"
    assert (back, unquote(back)) == (quote(wanted), wanted)
    _, _, asked = unquote(stranger.location).partition("?next=")
    assert unquote(asked) == wanted
    # What a host does with it is quoted still: werkzeug takes tabs out of what it redirects to.
    assert "\t" not in asked


class NoSignInPage(PagesHost):
    """A host whose Flask-Login knows no page to sign in on."""

    def add_routes(self):
        super().add_routes()
        LoginManager(self.app).user_loader(str)


@pytest.mark.parametrize("setting", ["E2ERESET_PAGES_BASE", "E2ERESET_SIGN_IN_PAGE"])
def test_a_template_or_a_page_that_is_not_there_is_named_by_its_setting(make_host, setting):
    host = make_host("pages", kind=PagesHost, **{setting: "nope"})
    browser = host.browser if setting == "E2ERESET_PAGES_BASE" else host.app.test_client()
    with pytest.raises(SettingsError, match=f"{setting} is 'nope', and there is no such"):
        browser.get("/security/", headers=BROWSER)


def test_who_is_not_signed_in_is_told_so_where_no_page_is_known(make_host):
    host = make_host("pages", kind=NoSignInPage)
    for path in ("/plans", "/security/"):
        page = host.app.test_client().get(path, headers=BROWSER)
        assert (page.status_code, "Sign in first" in page.text) == (401, True), page.text


def test_a_wrong_code_keeps_the_form(pages):
    proof = pages.drop()
    wrong = pages.browser.post(proof, data={"code": "000000"})
    assert (wrong.status_code, "not right" in wrong.text) == (400, True)
    assert pages.browser.post(proof, data={"code": pages.totp.code()}).text == "dropped atlas"


def test_the_page_tells_why_a_code_was_refused(pages):
    code = pages.totp.code()
    pages.browser.post(pages.drop(), data={"code": code})
    again = pages.browser.post(proof := pages.drop(), data={"code": code})
    assert "This code was used already." in again.text
    for _ in range(5):
        spent = pages.browser.post(proof, data={"code": "000000"})
    assert "Too many tries. Try again in" in spent.text


def test_looks_at_the_page_of_the_proof_are_counted(make_host):
    rates = {"RATELIMIT_ENABLED": True, "E2ERESET_RATE_LIMIT_READS": "2 per minute"}
    host = make_host("pages", kind=PagesHost, **rates)
    proof, stranger = host.drop(), host.app.test_client()
    assert [stranger.get(proof).status_code for _ in range(3)] == [410, 410, 429]


def test_a_form_that_comes_too_often_is_kept(make_host):
    host = make_host("pages", kind=PagesHost, RATELIMIT_ENABLED=True)
    proof = [host.drop() for _ in range(10)][-1]
    assert host.browser.post(proof, data={"code": host.totp.code()}).status_code == 429
    assert (host.done, host.browser.get(proof).status_code) == ([], 200)


def test_a_kept_form_is_sent_once(pages):
    proof = pages.drop()
    pages.browser.post(proof, data={"code": pages.totp.code()})
    assert pages.browser.post(proof, data={"code": pages.totp.next_code()}).status_code == 410
    assert len(pages.done) == 1


def test_of_many_kept_forms_the_oldest_makes_room(make_host):
    pages = make_host("pages", kind=PagesHost, RATELIMIT_ENABLED=False)
    proofs = []
    for _ in range(MOST + 1):
        pages.clock.tick(1)
        pages.browser.delete_cookie(COOKIE)  # it is a cap of the account, not of the browser
        proofs.append((pages.drop(), pages.browser.get_cookie(COOKIE).value))

    def status(number):
        proof, cookie = proofs[number]
        pages.browser.set_cookie(COOKIE, cookie)
        return pages.browser.get(proof).status_code

    assert [status(n) for n in (0, 1, MOST)] == [410, 200, 200]
    assert pages.look(pages.db.text("SELECT count(*) FROM e2ereset_kept_requests")) == MOST
    status(0)
    gone = pages.browser.post(proofs[0][0], data={"code": pages.totp.code()})
    assert (gone.status_code, pages.done) == (410, [])
    assert "or you have begun many others since" in gone.text
    status(1)
    pages.browser.post(proofs[1][0], data={"code": "000000"})  # which is kept again, as the newest
    pages.drop()
    assert [status(n) for n in (1, 2)] == [200, 410]


def made(pages, network="192.0.2.1"):
    return KeptRequests(pages.runtime, lambda: network)


class ByName(PagesHost):
    """A host with a view behind the gate for a target that its clients name in JSON."""

    def add_routes(self):
        super().add_routes()

        @self.app.post("/named")
        @two_factor_required("named", target=lambda: request.json["name"])
        def named():
            self.done.append(request.json["name"])
            return "done"


class LooksForForms(ByName):
    """One that looks for a form first, as Flask-WTF's CSRFProtect does."""

    def add_routes(self):
        super().add_routes()
        self.app.before_request(lambda: request.form.get("csrf_token"))


def test_a_body_that_is_no_form_is_kept_where_the_app_looked_for_a_form(make_host):
    host = make_host("pages", kind=LooksForForms)
    proof = host.led(host.browser.post("/named", json={"name": "atlas"}, headers=BROWSER))
    assert host.browser.post(proof, data={"code": host.totp.code()}).text == "done"
    assert host.done == ["atlas"]


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_a_target_that_no_database_takes_is_refused_to_all(make_host, accept, name):
    host = make_host("pages", kind=ByName)
    proven = {"x-2fa-code": host.totp.code()}
    for more in ({}, proven, {"x-2fa-method": "email"}):
        sent = {"json": {"name": name}, "headers": {"Accept": accept} | more}
        assert host.browser.post("/named", **sent).status_code == 400
    assert host.done == []


def test_nobody_elsewhere_pushes_a_form_out(make_host):
    """Neither who has stolen the sign-in, nor who knows the password at a sign-in."""
    pages = make_host("pages", kind=PagesHost, RATELIMIT_ENABLED=False)
    proof, thief = pages.drop(), {"REMOTE_ADDR": "198.51.100.7"}
    form = Kept(method="POST", path="/", query="", action=Action(name="login", target=BOB.id))
    key = made(pages).keep(form, "cookie", None)
    for _ in range(MOST + 1):
        pages.clock.tick(1)
        pages.browser.post("/drop/atlas", headers=BROWSER, environ_base=thief)
        made(pages, "198.51.100.7").keep(form, "other", None)
    assert pages.browser.get(proof).status_code == 200
    assert made(pages).find(key, "cookie", None)
    assert pages.look(pages.db.text("SELECT count(*) FROM e2ereset_kept_requests")) == 2 * MOST + 2


def test_the_cap_holds_for_forms_at_once_and_is_of_one_account(pages):
    kept, bob, sue = made(pages), Caller(account=BOB), Caller(account=SUE)
    form = Kept(method="POST", path="/", query="", action=Action(name="login", target=BOB.id))

    def keep(caller):
        return partial(kept.keep, form, "cookie", caller)

    others = {who: keep(who)() for who in (sue, None)}
    at_once([keep(bob)] * (MOST + 4))
    assert pages.look(pages.db.text("SELECT count(*) FROM e2ereset_kept_requests")) == MOST + 2
    assert all(kept.find(key, "cookie", who) for who, key in others.items())


@pytest.mark.parametrize("seconds", [599, 600])
def test_a_kept_form_is_over_after_ten_minutes(pages, seconds):
    proof = pages.drop()
    pages.clock.tick(seconds)
    assert pages.browser.get(proof).status_code == (410 if seconds == 600 else 200)


def test_another_browser_of_the_same_person_finds_no_kept_form(pages):
    proof = pages.drop()
    other = pages.app.test_client()
    other.get("/in")
    assert other.get(proof).status_code == 410
    assert other.post(proof, data={"code": pages.totp.code()}).status_code == 410


def test_a_proof_for_one_page_shows_no_other(pages):
    pages.led(pages.browser.get("/plans"))
    proof = pages.drop()
    assert pages.browser.post(proof, data={"code": pages.totp.code()}).status_code == 200
    pages.led(pages.browser.get("/plans"))


def test_others_than_browsers_get_the_refusal(pages):
    for accept in ("*/*", "application/json", ""):
        answer = pages.browser.post("/drop/a", headers={"Accept": accept})
        assert (answer.status_code, answer.json["errorType"]) == (400, "totp-required")
    coded = {"Accept": BROWSER["Accept"], "x-2fa-code": "000000"}  # whoever proves it by a header
    answer = pages.browser.post("/drop/a", headers=coded)
    assert (answer.status_code, answer.json["errorType"]) == (400, "totp-invalid")


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://b.example"}]
)
def test_a_form_of_another_site_is_refused(pages, headers):
    proof = pages.drop()
    refused = pages.browser.post(proof, data={"code": pages.totp.code()}, headers=headers)
    assert refused.status_code == 403
    assert pages.done == []


def test_a_neighbouring_site_is_another_one(pages):
    headers = {"Sec-Fetch-Site": "same-site"}
    assert pages.browser.post(pages.drop(), data={}, headers=headers).status_code == 403


def test_the_kept_form_is_encrypted(pages):
    pages.drop()
    rows = pages.look(pages.db.text("SELECT content FROM e2ereset_kept_requests"))
    assert "/drop/atlas" not in rows


def test_who_is_not_signed_in_is_told_so(pages):
    assert pages.app.test_client().get("/security/", headers=BROWSER).status_code == 401


def test_a_page_may_load_nothing_of_others(pages):
    policy = pages.browser.get("/security/").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy

"""Apps of other kinds embed e2ereset in ten lines: they reset a key, and their forms are proven."""

import re
from importlib import import_module

import pytest

from e2ereset import get_e2ereset
from e2ereset.testing import Mailbox, enable_email, enrol_totp
from tests.kit.lines import embedding_lines
from tests.kit.pages import BROWSER
from tests.kit.paths import ROOT

FOLDER = ROOT / "examples" / "hosts"
NAMES = sorted(file.stem for file in FOLDER.glob("[a-z]*.py"))
# Of the extra `bench`, which the quick tests do without.
SLOW = {"security": pytest.mark.slow}
HOSTS = [pytest.param(name, marks=SLOW.get(name, ())) for name in NAMES]
NEED = {"limited": "flask_talisman", "security": "flask_security"}
BY_MAIL, SIGNS_OUT = ("limited",), ("plain", "security")
EMAIL, PASSWORD = "ann@x.org", "correct horse"
TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')


class Visitor:
    """Ann's browser, in which she is signed in to one of the apps."""

    def __init__(self, name, uri):
        if name in NEED:
            pytest.importorskip(NEED[name])
        module = import_module(f"examples.hosts.{name}")
        config = {"TESTING": True, "SECRET_KEY": "a key for tests only"}
        config |= {"RATELIMIT_STORAGE_URI": "memory://", "MAIL_DEFAULT_SENDER": "app@x.org"}
        self.app = module.create_app(config | {"SQLALCHEMY_DATABASE_URI": uri, "DATABASE": uri})
        module.fill(self.app, EMAIL, PASSWORD)
        self.base = "https://x.org/shop/" if name == "uuids" else "https://x.org/"
        self.client = self.app.test_client()
        self.client.environ_base["HTTP_ACCEPT"] = BROWSER["Accept"]
        self.send("login", email=EMAIL, password=PASSWORD)

    def get(self, path):
        path = path.removeprefix("/shop").lstrip("/")
        return self.client.get(path, base_url=self.base, headers=BROWSER)

    def send(self, path, *, form=None, **fields):
        """Send the fields to this path, with the token of the form at `form`, or there."""
        path = path.removeprefix("/shop").lstrip("/")
        headers = BROWSER | {"Referer": self.base}
        if token := TOKEN.search(self.get(form or path).text):
            fields["csrf_token"] = token[1]
        return self.client.post(path, base_url=self.base, headers=headers, data=fields)

    def reset(self, code):
        url, headers = "api/v1/users.resetE2EKey", {"Accept": "*/*", "x-2fa-code": code}
        return self.client.post(url, base_url=self.base, headers=headers)

    def account(self):
        with self.app.app_context():
            runtime = get_e2ereset()
            with runtime.transactions.read() as session:
                return runtime.accounts.find(session, EMAIL.upper())


@pytest.fixture
def visit(database_uri):
    visitors = []

    def visit(name):
        visitors.append(Visitor(name, database_uri))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        get_e2ereset(visitor.app).transactions.engine.dispose()


@pytest.mark.parametrize("name", NAMES)
def test_the_embedding_is_ten_lines_with_pages(name):
    assert embedding_lines((FOLDER / f"{name}.py").read_text(encoding="utf-8")) <= 10


@pytest.mark.parametrize("name", HOSTS)
def test_its_user_resets_a_key(visit, name):
    ann = visit(name)
    assert ann.reset("000000").json["errorType"] == "error-two-factor-not-available"
    code = enrol_totp(ann.app, ann.account()).code()
    assert ann.reset(code).data == b'{"success":true}'
    assert ann.reset(None).status_code == (401 if name in SIGNS_OUT else 400)


@pytest.mark.parametrize("name", HOSTS)
def test_a_form_of_its_is_led_to_the_proof_and_back(visit, name):
    ann = visit(name)
    if name in BY_MAIL:
        enable_email(ann.app, ann.account())
        mails = Mailbox(ann.app)
    led = ann.send("items/7/delete", form="items")
    assert led.status_code == 303
    method = "email" if name in BY_MAIL else "password"
    code = mails.code_for(EMAIL) if name in BY_MAIL else PASSWORD
    wrong = ann.send(led.location, method=method, code="not it")
    assert (wrong.status_code, "not right" in wrong.text) == (400, True)
    back = ann.send(led.location, method=method, code=code)
    assert (back.status_code, ann.get(back.location).text[:9]) == (302, "the items")

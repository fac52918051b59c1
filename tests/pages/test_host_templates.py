"""Pages in the look of their host: in its base template, and with templates of its own."""

from io import BytesIO

import pytest
from flask import request
from jinja2 import DictLoader
from sqlalchemy import text

from e2ereset.errors import SettingsError
from e2ereset.pages.site import FOLDER
from tests.kit.pages import BROWSER, PagesHost

BASE = """<html lang="{{ lang }}" dir="{{ direction }}">
<title>{% block title %}{% endblock %}</title>
<a href="{{ url_for('e2ereset_pages.overview') }}">your security</a>
<nav>the shop</nav>{% block content %}{% endblock %}</html>"""
OURS = sorted(file.name for file in (FOLDER / "templates" / "e2ereset").iterdir())


class Shop(PagesHost):
    """A host with a base template, a policy, and hooks that read forms early."""

    reads_forms = False

    def add_routes(self):
        super().add_routes()
        self.app.jinja_loader = DictLoader({"shop.html": BASE})

        @self.app.before_request
        def read_form():
            if self.reads_forms:
                vars(self)["form"] = request.form

        @self.app.after_request
        def protect(response):
            response.headers.setdefault("Content-Security-Policy", "default-src 'self'")
            return response


@pytest.fixture
def shop(make_host):
    return make_host("pages", kind=Shop, E2ERESET_PAGES_BASE="shop.html")


def test_every_page_stands_in_the_base_template_of_its_host(shop):
    browser, proof = shop.browser, shop.drop()
    wrong = browser.post(proof, data={"code": "000000"})
    over = browser.get("/security/proof/none")
    for page in (browser.get("/security/"), browser.get(proof), wrong, over):
        assert page.text.lstrip().startswith('<html lang="en" dir="ltr">')
        assert page.text.count("<nav>the shop</nav>") == page.text.count("<main") == 1
        assert page.text.count('<link rel="stylesheet" href="/security/static/e2ereset.css">') == 1
        assert page.headers.getlist("Content-Security-Policy") == ["frame-ancestors 'none'"]
        assert '<a href="/security/">your security</a>' in page.text
    assert "<title>My security</title>" in browser.get("/security/").text
    assert browser.get("/in").headers["Content-Security-Policy"] == "default-src 'self'"


def test_a_base_without_the_block_of_the_content_is_told_of_once(make_host, caplog):
    said = "A page came out empty. Has 'shop.html', of E2ERESET_PAGES_BASE, a block `content`?"
    for name in ("one", "two"):
        host = make_host(name, kind=Shop, E2ERESET_PAGES_BASE="shop.html")
        empty = BASE.replace("block content", "block body")
        host.app.jinja_loader = DictLoader({"shop.html": empty})
        host.app.jinja_env.cache.clear()
        assert [host.browser.get("/security/").status_code for _ in range(2)] == [200, 200]
        assert [one.getMessage() for one in caplog.records] == [said]  # once for each app
        caplog.clear()


@pytest.mark.parametrize("name", ["security", "page"])
def test_a_template_of_the_host_needs_no_class_of_ours(make_host, caplog, name):
    host = make_host("pages", kind=Shop, E2ERESET_PAGES_BASE="shop.html")
    own = "{% extends base %}{% block content %}<h1>the shop</h1>{% endblock %}"
    host.app.jinja_loader = DictLoader({"shop.html": BASE, f"e2ereset/{name}.html": own})
    assert "<h1>the shop</h1>" in host.browser.get("/security/").text
    assert caplog.records == []


def test_every_template_gives_way_to_one_of_the_host_of_its_name(pages):
    own = {f"e2ereset/{name}": f"the shop's {name}" for name in OURS}
    pages.app.jinja_loader = DictLoader(own)
    with pages.app.app_context():
        find = pages.app.jinja_env.get_template
        assert [find(name).render() for name in own] == [*own.values()]
    assert pages.browser.get("/security/").text == "the shop's security.html"
    assert pages.browser.get(pages.drop()).text == "the shop's proof.html"


def test_an_operator_has_templates_of_their_own_in_a_folder(with_settings, tmp_path):
    (tmp_path / "e2ereset").mkdir()
    (tmp_path / "shop.html").write_text(BASE)
    (tmp_path / "e2ereset" / "over.html").write_text("gone, {{ workspace }}")
    named = {"E2ERESET_PAGES_TEMPLATES": str(tmp_path), "E2ERESET_PAGES_BASE": "shop.html"}
    browser = with_settings(**named, E2ERESET_WORKSPACE="the shop").app.test_client()
    assert browser.get("/security/proof/none").text == "gone, the shop"
    signs_in = browser.get("/sign-in").text
    assert ("the shop" in signs_in, "Sign in</h1>" in signs_in) == (True, True)


def test_a_folder_of_templates_that_is_not_there_refuses_to_start(make_host, tmp_path):
    with pytest.raises(SettingsError, match=r"E2ERESET_PAGES_TEMPLATES.*no such folder"):
        make_host("pages", kind=PagesHost, E2ERESET_PAGES_TEMPLATES=str(tmp_path / "mistyped"))


def test_a_very_long_form_and_a_file_of_which_the_bytes_are_gone_are_not_kept(shop):
    def send(field):
        return shop.browser.post("/drop/atlas", data={"why": field}, headers=BROWSER)

    refused = [send("x" * 256 * 1024)]
    shop.reads_forms = True
    refused += [send("x" * 256 * 1024), send((BytesIO(b"a file"), "a.txt"))]
    for page in refused:
        assert (page.status_code, "has a file or is too long" in page.text) == (400, True)
        assert "the shop" in page.text
    assert shop.look(text("SELECT count(*) FROM e2ereset_kept_requests")) == 0
    proof = shop.drop()
    assert shop.browser.post(proof, data={"code": shop.totp.code()}).text == "dropped atlas"
    assert shop.done == [("atlas", ["old", "ü & b"], b"from=list")]

"""What no page brings along, and how a code is typed."""

import re

import pytest

from e2ereset.pages.site import FOLDER
from tests.kit.pages import addresses, browser_of

FILES = {file.name: file.read_text("utf-8") for file in (FOLDER / "templates/e2ereset").iterdir()}
SHEET = (FOLDER / "static/e2ereset.css").read_text("utf-8")
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:|https?://", re.IGNORECASE)
SCRIPT = re.compile(r"<script(.*?)</script>", re.DOTALL)
OURS = re.compile(r' src="\{\{ url_for\(pages ~ "\.static", filename="[\w-]+\.js"\) \}\}" defer>')
CODE = re.compile('<input class="e2e-code"[^>]*>')
EMPTY = re.compile(r"<ul[^>]*>\s*</ul>|<nav[^>]*>\s*</nav>")
TYPED = {'name="code"', 'type="text"', 'inputmode="numeric"', 'autocomplete="one-time-code"'}


@pytest.mark.parametrize("name", FILES)
def test_no_template_has_a_style_or_a_script_in_it_or_leads_elsewhere(name):
    assert INLINE.findall(FILES[name]) == []
    assert [one for one in SCRIPT.findall(FILES[name]) if not OURS.fullmatch(one)] == []


def test_no_page_has_a_list_with_nothing_in_it(world, boss):
    browser = browser_of(world, boss)
    pages = {one: browser.get(one) for one in addresses(world, "GET", boss.id)}
    lists = {"/admin/people", "/admin/log", "/security/history", "/security/sign-ins"}
    assert {name for name, one in pages.items() if one.status_code == 200} >= lists
    assert [name for name, one in pages.items() if EMPTY.search(one.text)] == []


def test_the_sheet_loads_nothing_and_names_nothing_of_the_host():
    assert re.findall(r"@import|url\(|@font-face", SHEET) == []
    rules = re.sub(r"/\*.*?\*/", "", SHEET, flags=re.DOTALL)
    selectors = re.findall(r"([^{};]+)\{(?=[^{]*:)", rules)
    assert [one.strip() for one in selectors if ".e2e-" not in one and "@media" not in one] == [
        ":where(:root)"
    ]
    assert "@media print { .e2e-noprint { display: none; } }" in SHEET


def test_a_code_of_any_kind_is_typed_into_one_field_that_phones_fill_in(pages):
    assert sum(text.count("one-time-code") for text in FILES.values()) == 1
    for address in (pages.drop(), "/security/authenticator/off", "/security/backup-codes"):
        (field,) = CODE.findall(pages.browser.get(address).text)
        assert set(field.split()) >= TYPED, address

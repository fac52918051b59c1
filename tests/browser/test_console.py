"""The console in a browser: a role is given and taken without scripts, behind a proof."""

import re

import pytest

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery"
TAKE = re.compile("^Take ?: bot$")


def roles_of(site, name):
    return site.cli("user", "show", name)["roles"]


def test_a_role_is_given_and_taken_without_scripts(browse, site):
    carol, dave = site.user("carol", "admin", totp=True), site.user("dave")
    site.cli("user", "password", "carol", "--password-stdin", stdin=PASSWORD)
    watched = browse(scripts=False).sign_in("carol", PASSWORD, carol.backup_codes[0])
    watched.page.get_by_role("link", name="Help other people").click()
    watched.page.get_by_role("link", name="dave", exact=True).click()
    watched.page.get_by_label("Another role").select_option("bot")
    watched.press("Give the role")
    assert "You are about to give the role bot to dave." in watched.text
    watched.prove("000000")
    assert roles_of(site, "dave") == ["user"]
    watched.prove(carol.backup_codes[1])
    assert watched.page.get_by_role("status").inner_text() == "The roles are changed."
    assert roles_of(site, "dave") == ["bot", "user"]
    watched.page.get_by_role("link", name="bot", exact=True).click()
    assert watched.heading == "Role bot"
    watched.page.get_by_role("link", name="dave", exact=True).click()
    watched.press(TAKE)
    watched.page.go_back()
    assert roles_of(site, "dave") == ["bot", "user"]
    watched.press(TAKE)
    watched.prove(carol.backup_codes[2])
    assert roles_of(site, "dave") == ["user"]
    assert watched.url + f"/admin/people/{dave.id}?done=roles" == watched.page.url


def test_another_site_gives_no_role(browse, site):
    eve, fay = site.user("eve", "admin", totp=True), site.user("fay")
    site.cli("user", "password", "eve", "--password-stdin", stdin=PASSWORD)
    watched = browse().sign_in("eve", PASSWORD, eve.backup_codes[0])
    fields = '<input name="act" value="give"><input name="role" value="admin">'
    url = f"{site.url}/admin/people/{fay.id}/roles"
    form = f'<form method="post" action="{url}">{fields}<button>Win</button></form>'
    watched.page.goto("data:text/html," + form)
    watched.press("Win")
    assert watched.heading != "Prove that it is you"
    assert roles_of(site, "fay") == ["user"]

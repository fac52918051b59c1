"""Whoever may not see a page of the console is refused, and leaves an audit row."""

import pytest

from tests.kit.pages import browser_of

PERSON = "/admin/people/<user_id>"
LOOKS = (
    *("/admin/people", PERSON, f"{PERSON}/reset", f"{PERSON}/reset/done", "/admin/log"),
    *("/admin/permissions", "/admin/permissions/<name>", "/admin/roles/<path:name>"),
)
ACTS = {
    f"{PERSON}/reset": "reset-e2e-key",
    f"{PERSON}/unlock": "unlock-factor",
    f"{PERSON}/roles": "change-roles",
    "/admin/permissions/<name>": "update-permissions",
}


@pytest.fixture
def browser(world, bob):
    return browser_of(world, bob)


def address(rule, user):
    names = {"<user_id>": user.id, "<path:name>": "admin", "<name>": "edit-other-user-e2ee"}
    for part, value in names.items():
        rule = rule.replace(part, value)
    return rule


def test_a_look_is_recorded_with_its_page(world, browser, bob, eve):
    assert {browser.get(address(rule, eve)).status_code for rule in LOOKS} == {403}
    refused = [("look-at-page", bob.id, rule, "", "error-unauthorized") for rule in LOOKS]
    assert world.outcomes() == refused
    assert "Look at a page: /admin/log" in browser.get("/security/history").text


def test_an_act_is_recorded(world, browser, bob, eve):
    assert {browser.post(address(rule, eve)).status_code for rule in ACTS} == {403}
    refused = [(act, bob.id, "", "", "error-unauthorized") for act in ACTS.values()]
    assert world.outcomes() == refused


def test_looks_over_the_rate_are_recorded_once(world, with_settings, bob):
    rated = with_settings(E2ERESET_RATE_LIMIT_READS="1 per minute", RATELIMIT_ENABLED=True)
    browser = browser_of(rated, bob)
    assert [browser.get("/security/").status_code for _ in range(3)] == [200, 429, 429]
    assert world.outcomes() == [
        ("look-at-page", bob.id, "/security/", "", "error-too-many-requests")
    ]

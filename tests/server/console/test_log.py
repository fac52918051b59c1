"""The page of who helped whom."""

import re

import pytest

from e2ereset.audit import Actor
from tests.kit.pages import browser_of

LOG = "/admin/log"
HEADINGS = re.compile(r'<h2 class="e2e-small">(.*)</h2>\s*<p>By: (.*)</p>')


@pytest.fixture
def browser(world, bob, eve):
    boss = world.person("boss", roles=("admin",))
    acts = [
        ("reset-e2e-key", boss.id, bob.id, "reset"),
        ("unlock-factor", boss.id, eve.id, "unlocked"),
        ("reset-e2e-key", "operator:root", eve.id, "reset"),
        ("reset-e2e-key", bob.id, eve.id, "error-not-allowed"),
        ("reset-e2e-key", bob.id, bob.id, "reset"),
    ]
    with world.runtime.transactions.begin() as session:
        for n, (action, caller, target, outcome) in enumerate(acts):
            by = Actor(id=caller, reason=f"<reason {n}>")
            world.runtime.audit.write(
                session, action, by, at=world.clock.now, target=target, outcome=outcome
            )
    return browser_of(world, boss)


ROOT = "An operator of the server (operator:root)"


def shown(browser, **query):
    page = browser.get(LOG, query_string=query)
    assert page.status_code == 200
    return HEADINGS.findall(page.text)


def test_what_people_did_to_others_is_there_newest_first(browser):
    assert shown(browser) == [
        ("Reset the key: eve", "bob"),
        ("Reset the key: eve", ROOT),
        ("Unlock the factors: eve", "boss"),
        ("Reset the key: bob", "boss"),
    ]
    page = browser.get(LOG).text
    assert "Reason: &lt;reason 0&gt;" in page
    assert "reason 4" not in page
    assert "<p>Refused.</p>" in page
    assert page.count("15 January 2027, 08:00 UTC") == 4


def test_it_is_filtered(browser):
    assert len(shown(browser, caller="BOSS")) == 2
    assert shown(browser, caller="operator:root") == [("Reset the key: eve", ROOT)]
    assert shown(browser, target="bob") == [("Reset the key: bob", "boss")]
    unlocked = [("Unlock the factors: eve", "boss")]
    assert shown(browser, caller="boss", action="unlock-factor") == unlocked
    assert shown(browser, target="nobody") == []
    assert len(shown(browser, action="login", caller="\0", before="x' OR 1")) == 4


def test_what_an_operator_did_by_command_is_there(world, browser, bob):
    invoke = world.app.test_cli_runner().invoke
    for command in (
        "user token bob",
        "user codes bob",
        "user email-2fa bob --on",
        "hold start bob",
        "hold lift bob",
        "factor disable bob",
    ):
        done = invoke(args=[*command.split(), "--reason", "on the phone"])
        assert done.exit_code == 0, done.output
    assert [what for what, who in shown(browser, target="bob") if who == ROOT] == [
        "Switch off the authenticator app: bob",
        "Lift the hold on resets of the key: bob",
        "End all sign-ins, and hold resets of the key: bob",
        "Switch on codes by e-mail: bob",
        "Make new backup codes: bob",
        "Make a personal access token: bob",
    ]


def test_what_one_did_to_a_part_of_the_own_account_is_not_there(world, browser, bob):
    with world.runtime.transactions.begin() as session:
        for action in ("add-token", "disable-passkey"):
            target, by = f"{bob.id}:laptop", Actor(id=bob.id)
            world.runtime.audit.write(session, action, by, at=1, target=target)
    assert shown(browser, caller="bob") == [("Reset the key: eve", "bob")]


def test_older_rows_are_on_the_next_page(world, browser, bob):
    with world.runtime.transactions.begin() as session:
        for n in range(20):
            by = Actor(id="operator:root", reason=f"n{n}.")
            world.runtime.audit.write(session, "unlock-factor", by, at=1, target=bob.id)
    page = browser.get(f"{LOG}?action=unlock-factor").text
    assert len(HEADINGS.findall(page)) == 20
    older = re.search(r'href="([^"]+)" rel="next"', page)[1].replace("&amp;", "&")
    assert HEADINGS.findall(browser.get(older).text) == [("Unlock the factors: eve", "boss")]


def test_it_needs_the_permission(world, browser, bob):
    page = browser_of(world, bob).get(LOG)
    assert (page.status_code, "eve" in page.text) == (403, False)
    links = browser_of(world, bob).get("/security/").text
    assert LOG not in links
    assert LOG in browser.get("/security/").text

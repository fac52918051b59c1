"""What was done to one's account, in words, with receipts."""

import json
import re

import pytest
from sqlalchemy import event

from e2ereset.audit import Actor, Operator, about
from e2ereset.factors import own, own_passkeys, passkeys
from e2ereset.languages import Languages
from e2ereset.pages.history import ACTIONS, told
from e2ereset.server.sessions import personal
from tests.kit.pages import browser_of

PAGE = "/security/history"
RECEIPT = re.compile(r'href="(/security/history/\w+/receipt)"')


def entries(page):
    """The heading and the lines of each event, newest first."""
    cards = re.findall(r'<section class="e2e-card">(.*?)</section>', page, re.DOTALL)
    plain = (re.sub(r"<span.*?</span>|<[^>]+>", "", card) for card in cards)
    return [[line for line in card.splitlines() if line] for card in plain]


def test_what_was_done_is_told_in_words(world, admin, bob):
    browser = browser_of(world, bob)
    assert world.reset(admin, {"username": "bob"}, code=world.code(admin)).status_code == 200
    world.again(bob)
    world.reset(bob, code="000000")
    world.runtime.factors.renew_backup_codes(
        world.account(bob), by=Operator(login="olga", reason="asked by phone")
    )
    browser = browser_of(world, bob)
    operator, wrong, helped, *_ = entries(browser.get(PAGE).text)
    assert operator == [
        "Make new backup codes",
        "Done.",
        "15 January 2027, 08:00 UTC",
        "By: An operator of the server (olga)",
        "Reason: asked by phone",
    ]
    assert wrong[:2] == ["Reset the key", "Refused: the code or the password was wrong."]
    assert "By: You" in wrong
    assert helped[:2] == ["Reset the key", "Done."]
    assert "By: root" in helped
    assert "Proven by: the authenticator app" in helped
    mine, *_ = entries(browser_of(world, admin).get(PAGE).text)
    assert mine[:2] == ["Reset the key: bob", "Done."]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("held", "Erledigt."),
        ("added admin, removed bot", "Hinzugefügt: admin. Entfernt: bot."),
        ("ended 3", "Beendet: 3."),
        ("nobody-to-ask", "Niemand war da, den man bitten konnte."),
        ("user-last-owner", "Abgelehnt."),
        ("a host's own", "a host's own"),
    ],
)
def test_what_came_of_an_act_is_told_in_the_readers_language(outcome, words):
    assert told(outcome, Languages(["de"]).words()) == words


def test_a_refused_act_names_nobody(world, bob, eve):
    assert world.reset(bob, {"userId": eve.id}, code=world.code(bob)).status_code == 400
    mine, *_ = entries(browser_of(world, bob).get(PAGE).text)
    assert mine[:2] == [f"Reset the key: {eve.id}", "Refused."]
    hers, *_ = entries(browser_of(world, eve).get(PAGE).text)
    assert hers[:2] == ["Reset the key", "Refused."]
    assert "By: bob" in hers


def test_the_owner_of_an_event_gets_its_receipt(world, bob, eve):
    world.reset(bob, code=world.code(bob))
    world.again(bob)
    browser = browser_of(world, bob)
    assert not RECEIPT.search(browser.get(PAGE).text)  # not sealed yet
    world.runtime.sealer.seal()
    url = RECEIPT.search(browser.get(PAGE).text)[1]
    answer = browser.get(url)
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=receipt-")
    receipt = json.loads(answer.text)
    assert (receipt["entry"]["action"], receipt["entry"]["caller"]) == ("reset-e2e-key", bob.id)
    assert browser_of(world, eve).get(url).status_code == 404
    for other in ("0" * 32, "%00", "%ED%A0%80"):  # PostgreSQL fails on the last two
        assert browser.get(f"{PAGE}/{other}/receipt").status_code == 404
        assert browser.get(f"{PAGE}?before={other}").status_code == 200


def test_the_history_goes_on_page_by_page(world, bob):
    trail, transactions = world.runtime.audit, world.runtime.transactions
    with transactions.begin() as session:
        for number in range(45):
            to, by = (bob.id, "x") if number % 2 else ("y", bob.id)
            trail.write(session, f"act-{number}", Actor(id=by), at=number, target=to)
    browser, seen, url = browser_of(world, bob), [], PAGE
    while url:
        page = browser.get(url).text
        seen.append([what.split(": ")[1] for what, *_ in entries(page)])
        older = re.search(r'href="([^"]+)" rel="next"', page)
        url = older and older[1]
    assert [len(page) for page in seen] == [20, 20, 5]
    assert [what for page in seen for what in page] == [f"act {n}" for n in reversed(range(45))]


def test_every_act_on_factors_and_tokens_has_words():
    named = {*own.PHRASES, *own_passkeys.PHRASES, own.CONFIRM, passkeys.CONFIRM, *personal.PHRASES}
    assert named - set(ACTIONS) == set()


def test_each_half_of_the_history_is_read_through_an_index(world, bob):
    with world.runtime.transactions.read() as session:
        if session.get_bind().dialect.name != "sqlite":
            return
        asked = []
        event.listen(session.connection(), "before_cursor_execute", lambda *it: asked.append(it))
        about(session, bob.id, 20)
        _, _, statement, parameters, *_ = asked[-1]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        steps = " ".join(step.detail for step in plan.all())
        assert "INDEX ix_e2ereset_audit_target (target=?)" in steps
        assert "INDEX ix_e2ereset_audit_caller (caller=?)" in steps
        assert "SCAN e2ereset_audit" not in steps

"""User agents as mails and the audit log name them: never with a word of a stranger's."""

import pytest

from e2ereset import Account, Caller
from e2ereset.agents import PLATFORMS, PROGRAMS, UNKNOWN, read_agent
from e2ereset.audit.models import AuditRow

SENTENCE = "Your account is locked. Call +1 800 555 0100 or sign in at chat-unlock.example/verify"
LIKE = "AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0": "Firefox on Linux",
    f"Mozilla/5.0 (Windows NT 10.0; Win64) {LIKE} Chrome/126.0 Safari/537.36": "Chrome on Windows",
    f"Mozilla/5.0 (Windows NT 10.0) {LIKE} Chrome/126.0 Safari/537.36 Edg/126": "Edge on Windows",
    f"Mozilla/5.0 (Linux; Android 14) {LIKE} Chrome/126 Mobile Safari/537.36": "Chrome on Android",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 14) {LIKE} Version/17 Safari/605": "Safari on macOS",
    f"Mozilla/5.0 (iPhone; CPU OS 17 like Mac OS X) {LIKE} Safari/604.1": "Safari on iOS",
    f"Mozilla/5.0 (X11; Linux) {LIKE} Rocket.Chat/4.0 Electron/30 Chrome/1": "Rocket.Chat desktop"
    " on Linux",
    "RC Mobile; ios 17.5; v4.50.0 (123)": "Rocket.Chat mobile on iOS",
    "RC Mobile; android 14; v4.50.0": "Rocket.Chat mobile on Android",
    "python-requests/2.32.3": "python-requests",
    "curl/8.5.0": "curl",
    "node": "Node.js",
    "": "",
    "  ": "",
    f"Firefox/128.0 (Linux). {SENTENCE}": "Firefox on Linux",
    SENTENCE: UNKNOWN,
    "Firefoxes are nice": UNKNOWN,
    "\x00\x1b[2J": UNKNOWN,
    "x" * 9000 + " curl/8": UNKNOWN,
}


@pytest.mark.parametrize(("text", "agent"), AGENTS.items())
def test_product_and_platform_are_told(text, agent):
    assert read_agent(text) == agent


@pytest.mark.parametrize("program", [*PROGRAMS, UNKNOWN])
def test_what_was_told_is_told_again(program):
    for told in (program, *(f"{program} on {platform}" for platform in PLATFORMS)):
        assert read_agent(told) == told


def test_a_caller_of_a_host_has_no_sentence():
    bob = Account(id="1", username="bob")
    assert Caller(account=bob, agent=SENTENCE).agent == UNKNOWN


def test_neither_the_audit_log_nor_a_mail_has_the_sentence(world, bob):
    world.wrong(bob, 5, headers={"User-Agent": SENTENCE})
    assert {row.agent for row in world.rows(AuditRow)} == {UNKNOWN}
    assert world.queued("budget-exhausted")[0][1]["agent"] == UNKNOWN


def test_a_spent_sign_in_mails_no_sentence(world):
    world.person("bob", password="right")
    for _ in range(5):
        body = {"user": "bob", "password": "wrong"}
        world.client.post("/api/v1/login", json=body, headers={"User-Agent": SENTENCE})
    assert world.queued("budget-exhausted")[0][1]["agent"] == UNKNOWN


def test_a_method_that_there_is_not_does_not_enter_the_audit_log(world, bob):
    world.reset(bob, {"nothing": 1}, method=SENTENCE)
    world.reset(bob, {"nothing": 1}, method="totp")
    assert [row.method for row in world.rows(AuditRow)] == ["", "totp"]


def test_a_name_that_the_caller_made_up_is_in_no_mail(world, eve):
    world.reset(eve, {"username": SENTENCE})
    assert world.queued("code")[0][1]["phrase"] == "reset the E2E key of another user"

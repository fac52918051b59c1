"""The words of each kind of mail, and what untrusted facts can not do to them."""

import re
from email import message_from_string

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from e2ereset.mail import messages
from e2ereset.mail.messages import LONGEST, Message, plain, render
from tests.kit.rows import row

NOW = 1_767_225_600  # 2026-01-01 00:00:00 UTC
PLACE = {"address": "192.0.2.7", "agent": "Curl/8.1"}
KINDS = {
    "code": {
        "username": "bob",
        "phrase": "reset the E2E key of bob",
        "action": "reset-e2e-key",
        "signs_out": True,
        "code": "123-456",
        "expires_at": NOW + 600,
        **PLACE,
    },
    "key-reset": {
        "username": "bob",
        "by": "alice",
        "own": False,
        "at": NOW,
        "nothing_to_reset": False,
        "replaced": False,
        "signed_out": True,
        **PLACE,
    },
    "budget-exhausted": {"username": "bob", "method": "totp", "at": NOW, **PLACE},
    "totp-replayed": {"username": "bob", "at": NOW, **PLACE},
    "backup-code-used": {"username": "bob", "at": NOW, "left": 7, **PLACE},
    "factor-locked": {"username": "bob", "method": "sign-in", "at": NOW, **PLACE},
    "factor-changed": {"username": "bob", "at": NOW, "change": "TOTP was enabled."},
    "key-wrapped-anew": {"username": "bob", "at": NOW, **PLACE},
    "account-changed": {
        "username": "bob",
        "by": "an operator",
        "change": "A new password was set.",
        "reason": "asked for by phone",
        "at": NOW,
    },
}
SENTENCE = "Your account is locked. Call +1 800 555 0100 or see chat-unlock.example/verify"
EVIL = (
    "<script>alert(1)</script>\r\nBcc: mallory@example.org\r\n\r\nhttps://evil.example/x \u202e\x00"
)


def written(kind, **changes):
    subject, text, html = render(
        kind, {**KINDS[kind], **changes}, now=NOW + 5, workspace="chat.example"
    )
    return subject, unwrapped(text), html


def unwrapped(text):
    return re.sub(r"\s+", " ", text)


def poisoned(kind):
    return {name: EVIL for name, value in KINDS[kind].items() if isinstance(value, str)}


def test_every_kind_is_tried_here():
    assert sorted(messages.KINDS) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_subject_a_text_and_an_html_part(kind):
    subject, text, html = written(kind)
    assert subject
    assert "bob" in text
    assert "chat.example" in text
    assert "not" in text.partition("If ")[2]  # what to do if it was not you
    assert html.startswith("<!DOCTYPE html>")
    assert unwrapped(text.split("If ")[-1])[:40] in unwrapped(html)


@row("13.mfa.13")
@pytest.mark.parametrize("kind", KINDS)
def test_both_parts_name_time_address_and_agent(kind):
    _, *parts = written(kind)
    facts = KINDS[kind]
    for part in parts:
        assert "2026-01-01 00:" in part
        assert all(facts[name] in part for name in ("address", "agent") if name in facts)


@pytest.mark.parametrize("kind", KINDS)
def test_no_fact_reaches_html_unescaped(kind):
    assert "<script" not in written(kind, **poisoned(kind))[2]


@pytest.mark.parametrize("kind", KINDS)
def test_no_fact_adds_a_line_to_the_text(kind):
    texts = []
    for words in (EVIL, "".join(c if c.isprintable() else " " for c in EVIL)):
        facts = {**KINDS[kind], **dict.fromkeys(poisoned(kind), words)}
        texts.append(render(kind, facts, now=NOW, workspace="chat.example")[1])
    assert texts[0] == texts[1]
    assert not set(texts[0]) & set("\r\x00\u202e")


@pytest.mark.parametrize("kind", KINDS)
def test_no_fact_injects_a_header_through_the_subject(kind):
    subject, _, _ = written(kind, **poisoned(kind))
    mail = message_from_string(f"Subject: {subject}\n\nbody")
    assert mail.keys() == ["Subject"]
    assert subject.isprintable()
    assert len(subject) <= LONGEST


@row("13.forgot.3")
@pytest.mark.parametrize("kind", KINDS)
def test_no_part_holds_a_link(kind):
    for part in written(kind, **poisoned(kind)):
        assert "evil.example" not in part
        assert "://" not in part


@pytest.mark.parametrize("kind", KINDS)
def test_long_facts_are_cut(kind):
    facts = dict.fromkeys(poisoned(kind), "x" * 5000)
    subject, *parts = written(kind, **facts)
    assert len(subject) <= LONGEST
    assert all("x" * LONGEST not in part for part in parts)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_fact_is_an_error_and_no_gap(kind):
    for name in KINDS[kind]:
        facts = {key: value for key, value in KINDS[kind].items() if key != name}
        with pytest.raises((UndefinedError, TypeError)):
            render(kind, facts, now=NOW, workspace="chat.example")


@pytest.mark.parametrize("kind", ["no-such-kind", "../mail", "mail"])
def test_an_unknown_kind_is_an_error(kind):
    with pytest.raises(TemplateNotFound):
        render(kind, KINDS["code"], now=NOW, workspace="chat.example")


@row("13.forgot.11")
def test_a_code_is_in_both_parts_as_given_and_not_in_the_subject():
    subject, text, html = written("code")
    assert "123-456" in text
    assert "<strong>123-456</strong>" in html
    assert "123" not in subject


def test_a_code_says_what_it_is_for_how_long_it_lives_and_not_to_share_it():
    subject, text, _ = written("code")
    assert "reset the E2E key of bob" in text
    assert "reset the E2E key of bob" in subject
    assert "2026-01-01 00:10:00 UTC: about 10 minutes from now" in text
    assert "Never share it" in text


def test_a_code_near_its_end_lives_one_minute():
    assert "about 1 minute from now" in written("code", expires_at=NOW + 20)[1]


def test_a_reset_by_somebody_else_names_them_and_what_is_lost():
    subject, text, _ = written("key-reset")
    assert subject == "Your E2E key was reset by alice"
    assert "Asked by: alice" in text
    assert "can no longer be read" in text
    assert "personal access tokens were ended" in text
    assert "shares their keys with you" in text


def test_a_reset_by_an_operator_gives_the_reason_instead_of_a_place():
    _, text, _ = written("key-reset", by="operator:ann", reason="lost laptop", address="", agent="")
    assert "Reason: lost laptop" in text
    assert "unknown" not in text


def test_a_reset_by_a_user_names_the_place_and_no_reason():
    _, text, _ = written("key-reset", reason="")
    assert f"From: {PLACE['address']}" in text
    assert "Reason" not in text


def test_an_own_reset_says_that_it_was_you():
    subject, text, _ = written("key-reset", own=True, by="bob")
    assert subject == "Your E2E key was reset by you"
    assert "If this was not you" in text


def test_a_reset_without_a_key_says_that_nothing_is_lost():
    _, text, _ = written("key-reset", nothing_to_reset=True)
    assert "no message is lost" in text
    assert "can no longer be read" not in text


def test_a_notice_says_that_sign_ins_were_ended_only_where_they_were():
    for nothing in (False, True):
        facts = {"nothing_to_reset": nothing}
        assert "were ended" in written("key-reset", signed_out=True, **facts)[1]
        assert "were ended" not in written("key-reset", signed_out=False, **facts)[1]


@pytest.mark.parametrize("action", ["reset-e2e-key", "replace-e2e-key"])
def test_a_code_for_a_reset_says_what_it_loses(action):
    _, text, html = written("code", action=action, signs_out=True)
    assert "read only on devices that still have it" in text
    assert "sign-ins and personal access tokens of that account end" in text
    assert "read only on devices that still have it" in unwrapped(html)
    assert "tokens" not in written("code", action=action, signs_out=False)[1]


def test_a_code_for_anything_else_says_nothing_of_keys():
    assert "devices" not in written("code", action="login", signs_out=True)[1]


@pytest.mark.parametrize("kind", sorted(k for k in KINDS if "agent" in KINDS[k]))
def test_no_sentence_of_a_user_agent_is_mailed(kind):
    for part in written(kind, agent=SENTENCE):
        assert "Your account is locked" not in part
        assert "chat-unlock" not in part


def test_a_long_name_is_no_sentence():
    assert "x" * 65 not in written("key-reset", by="x" * 100)[1]


def test_a_backup_code_mail_counts_the_codes_left():
    assert "Codes left: 7" in written("backup-code-used")[1]


def test_few_backup_codes_left_ask_for_new_ones():
    assert "few codes left" in written("backup-code-used", left=2)[1]
    assert "few codes left" not in written("backup-code-used", left=3)[1]


def test_an_unknown_address_and_agent_are_said_to_be_unknown():
    _, text, _ = written("totp-replayed", address="", agent="")
    assert "an unknown address" in text
    assert "an unknown program" in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Jörg  Müller", "Jörg Müller"),
        ("a\r\nb\tc\x00d\x7fe", "a b c d e"),
        ("a\u202eb\u2028c\u00a0d\ud800e", "a b c d e"),
        ("see https://evil.example/?a=b now", "see (link) now"),
        ("WWW.EVIL.EXAMPLE", "(link)"),
        ("sign in at chat-unlock.example/verify now", "sign in at (link) now"),
        ("jane.doe", "jane.doe"),
        ("Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)"),
    ],
)
def test_untrusted_text_becomes_one_printable_line(given, shown):
    assert plain(given) == shown


def test_a_message_does_not_show_its_bodies():
    message = Message(
        sender="a@example.org",
        recipient="b@example.org",
        subject="Hello",
        text="123-456",
        html="<p>123-456",
        message_id="<1@example.org>",
    )
    assert "123-456" not in repr(message)

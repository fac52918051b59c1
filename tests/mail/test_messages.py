"""The words of each kind of mail, and what untrusted facts can not do to them."""

import re

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from e2ereset.errors import SettingsError
from e2ereset.languages import Languages
from e2ereset.mail import messages
from e2ereset.mail.messages import LONGEST, Letterhead, Message, make_templates, plain, render
from tests.kit.jobs import CODE
from tests.kit.jobs import START as NOW
from tests.kit.rows import row

PLACE = {"address": "192.0.2.7", "agent": "Curl/8.1"}
KINDS = {
    "code": CODE,
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
    "passkey-copied": {"username": "bob", "at": NOW, **PLACE},
    "backup-code-used": {"username": "bob", "at": NOW, "left": 7, **PLACE},
    "factor-locked": {"username": "bob", "method": "sign-in", "at": NOW, **PLACE},
    "factor-changed": {
        "username": "bob",
        "at": NOW,
        "change": "The authenticator app was switched on.",
    },
    "key-wrapped-anew": {"username": "bob", "at": NOW, **PLACE},
    "verify-email": {
        "username": "bob",
        "link": "(link)",
        "expires_at": NOW + 600,
        **PLACE,
    },
    "room-key-asked": {"username": "bob", "by": "alice", "rooms": 3, "at": NOW, **PLACE},
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


ENGLISH = {"words": Languages(["en"]).words(), "letterhead": Letterhead(workspace="chat.example")}


def written(kind, **changes):
    subject, text, html = render(kind, {**KINDS[kind], **changes}, now=NOW + 5, **ENGLISH)
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
        assert "1 January 2026, 00:" in part
        assert all(facts[name] in part for name in ("address", "agent") if name in facts)


@pytest.mark.parametrize("kind", KINDS)
def test_no_fact_adds_a_line_to_the_text(kind):
    texts = []
    for words in (EVIL, "".join(c if c.isprintable() else " " for c in EVIL)):
        facts = {**KINDS[kind], **dict.fromkeys(poisoned(kind), words)}
        texts.append(render(kind, facts, now=NOW, **ENGLISH)[1])
    assert texts[0] == texts[1]
    assert not set(texts[0]) & set("\r\x00\u202e")


@row("13.forgot.3")
@pytest.mark.parametrize("kind", KINDS)
def test_no_fact_brings_markup_a_header_or_a_link(kind):
    subject, text, html = written(kind, **poisoned(kind))
    assert subject.isprintable()
    assert "<script" not in html
    for part in (subject, text, html):
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
            render(kind, facts, now=NOW, **ENGLISH)


@pytest.mark.parametrize("kind", ["no-such-kind", "../mail", "mail"])
def test_an_unknown_kind_is_an_error(kind):
    with pytest.raises(TemplateNotFound):
        render(kind, KINDS["code"], now=NOW, **ENGLISH)


@row("13.forgot.11")
def test_a_code_is_in_both_parts_as_given_and_not_in_the_subject():
    subject, text, html = written("code")
    assert subject == "Your code to reset the E2E key of bob"
    assert "123-456" in text
    assert "<strong>123-456</strong>" in html


LOST = "read only on devices that still have it"
LIVES = "1 January 2026, 00:10 UTC: about 10 minutes from now"
ENDED = "sign-ins and personal access tokens of that account end"
BY_OPERATOR = {"by": "operator:ann", "reason": "lost laptop", "address": "", "agent": ""}
# The kind, what is other than above, what is said then, and what is not.
SAID = {
    "a code": ("code", {}, ["reset the E2E key of bob", "Never share it", LIVES], []),
    "a code near its end": ("code", {"expires_at": NOW + 20}, ["about 1 minute from now"], []),
    "what a reset loses": ("code", {}, [LOST, ENDED], []),
    "what a replacement loses": ("code", {"action": "replace-e2e-key"}, [LOST, ENDED], []),
    "nobody signed out": ("code", {"signs_out": False}, [LOST], ["tokens"]),
    "no key lost": ("code", {"action": "login"}, [], ["devices"]),
    "by whom": ("key-reset", {}, ["Asked by: alice", "shares their keys with you"], []),
    "losses": ("key-reset", {}, ["can no longer be read", "access tokens were ended"], []),
    "from where": ("key-reset", {"reason": ""}, ["From: 192.0.2.7"], ["Reason"]),
    "an operator's reason": ("key-reset", BY_OPERATOR, ["Reason: lost laptop"], ["unknown"]),
    "an own reset": ("key-reset", {"own": True, "by": "bob"}, ["If this was not you"], []),
    "no key there": (
        "key-reset",
        {"nothing_to_reset": True},
        ["no message is lost", "were ended"],
        ["can no longer be read"],
    ),
    "sign-ins stay": ("key-reset", {"signed_out": False}, [], ["were ended"]),
    "neither": ("key-reset", {"nothing_to_reset": True, "signed_out": False}, [], ["were ended"]),
    "a long name": ("key-reset", {"by": "x" * 100}, [], ["x" * 65]),
    "codes left": ("backup-code-used", {"left": 3}, ["Codes left: 3"], ["few codes left"]),
    "few codes left": ("backup-code-used", {"left": 2}, ["few codes left"], []),
    "from nowhere": (
        "totp-replayed",
        {"address": "", "agent": ""},
        ["an unknown address", "an unknown program"],
        [],
    ),
}


@pytest.mark.parametrize(("kind", "changes", "said", "unsaid"), SAID.values(), ids=SAID)
def test_both_parts_say_what_happened_and_no_more(kind, changes, said, unsaid):
    _, text, html = written(kind, **changes)
    for part in (text, unwrapped(html).replace("</th><td>", ": ")):
        assert [words for words in said if words not in part] == []
        assert [words for words in unsaid if words in part] == []


@pytest.mark.parametrize(("changes", "by"), [({}, "alice"), ({"own": True, "by": "bob"}, "you")])
def test_the_subject_of_a_reset_names_who_did_it(changes, by):
    assert written("key-reset", **changes)[0] == f"Your E2E key was reset by {by}"


@pytest.mark.parametrize("kind", sorted(k for k in KINDS if "agent" in KINDS[k]))
def test_no_sentence_of_a_user_agent_is_mailed(kind):
    for part in written(kind, agent=SENTENCE):
        assert "Your account is locked" not in part
        assert "chat-unlock" not in part


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Jörg  Müller", "Jörg Müller"),
        ("a\r\nb\tc\x00d\x7fe", "a b c d e"),
        ("a\u202eb\u2028c\u00a0d\ud800e", "a b c d e"),
        ("see https://evil.example/?a=b now", "see (link) now"),
        ("WWW.EVIL.EXAMPLE", "(link)"),
        ("sign in at chat-unlock.example/verify now", "sign in at (link) now"),
        ("sign in at bücher.example/verify now", "sign in at (link) now"),
        ("пример.рф/вход", "(link)"),
        ("1http://evil.example _https://b.example", "1(link) _(link)"),
        ("from 10.1.0.0/16, 5 a day", "from 10.1.0.0/16, 5 a day"),
        ("jane.doe", "jane.doe"),
        ("Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)"),
    ],
)
def test_untrusted_text_becomes_one_printable_line(given, shown):
    assert plain(given) == shown


def test_a_message_does_not_show_its_bodies():
    message = Message(
        sender="a", recipient="b", subject="c", message_id="d", text="123-456", html="123-456"
    )
    assert "123-456" not in repr(message)


GERMAN = {**ENGLISH, "words": Languages(["de"]).words()}
PAGE = "https://chat.example/security"


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_has_a_link_to_the_pages_only_where_there_are_pages(kind):
    head = Letterhead(workspace="chat.example", security_page=PAGE)
    for page in ("", PAGE):
        letterhead = head if page else ENGLISH["letterhead"]
        parts = render(kind, KINDS[kind], now=NOW, **{**ENGLISH, "letterhead": letterhead})
        assert [("https://" in part, PAGE in part) for part in parts[1:]] == [(bool(page),) * 2] * 2


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if kind not in ("verify-email", "account-changed", "room-key-asked")],
)
def test_who_has_no_password_is_not_told_to_change_it(kind):
    assert ("Change your password" in written(kind)[1]) != (kind == "key-reset")
    assert "Change your password" not in written(kind, has_password=False, own=True)[1]


def test_a_host_has_templates_of_its_own(tmp_path):
    (tmp_path / "mail.txt").write_text("Dear {{ username }}, {{ words.lead }}")
    head = Letterhead(workspace="chat.example", templates=make_templates(str(tmp_path)))
    _, text, html = render("code", KINDS["code"], now=NOW, **{**ENGLISH, "letterhead": head})
    assert text.startswith("Dear bob, Somebody")
    assert "Hello bob" in html


def test_an_operator_is_named_in_the_language_of_the_reader():
    facts = KINDS["account-changed"] | {"by": "an operator of the server (olga)"}
    _, text, _ = render("account-changed", facts, now=NOW, **GERMAN)
    assert "Die Administration des Servers (olga) hat Ihr Konto" in text


def test_a_template_of_the_host_is_read_at_start(tmp_path):
    with pytest.raises(SettingsError, match=r"E2ERESET_MAIL_TEMPLATES.*no such folder"):
        make_templates(str(tmp_path / "mistyped"))
    (tmp_path / "notes.bin").write_bytes(b"\xff{% if")  # not ours to read
    assert make_templates(str(tmp_path)).get_template("mail.html")
    (tmp_path / "mail.html").write_text("<p>\n{% if %}", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"mail\.html, line 2"):
        make_templates(str(tmp_path))

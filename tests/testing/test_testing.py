"""`e2ereset.testing`: what hosts' tests stand on."""

import pytest

from e2ereset import get_e2ereset
from e2ereset.testing import Mailbox, enable_email, enrol_totp
from tests.kit.host import BOB


@pytest.fixture
def app(host):
    return host.app


@pytest.fixture
def clock(host):
    return host.clock


@pytest.fixture
def device(app):
    return enrol_totp(app, BOB)


@pytest.fixture
def mailbox(app):
    return Mailbox(app)


def put(app, kind="code", **facts):
    """Queue a mail to bob."""
    runtime, now = get_e2ereset(app), int(get_e2ereset(app).clock())
    action = {"action": "x", "phrase": "x", "signs_out": False}
    facts = action | {"username": "bob", "expires_at": now + 60, "address": ""} | facts
    with runtime.transactions.begin() as session:
        runtime.jobs.put(session, kind, facts, recipients=BOB.emails, now=now)


def test_a_device_never_gives_a_code_twice_until_the_clock_ticks(device, clock):
    before = clock()
    assert (device.next_code(), device.next_code()) == (device.code(), device.code(30))
    with pytest.raises(AssertionError, match="tick"):
        device.next_code()
    clock.tick(30)
    assert clock() == before + 30
    assert device.next_code() == device.code(30)


def test_a_code_that_is_too_early_does_not_count_as_given(device):
    device.code(drift=3600)
    assert device.next_code() == device.code()


def test_no_secret_is_in_the_repr_of_a_device(device):
    assert device.secret not in repr(device)
    assert device.backup_codes[0] not in repr(device)


def test_deliver_returns_what_is_new(app, mailbox):
    enable_email(app, BOB)
    assert [mail.to for mail in mailbox.deliver()] == ["bob@example.org"]
    assert mailbox.deliver() == []


def test_the_newest_code_is_found_and_no_other_digits(app, mailbox):
    put(app, code="111-111", agent="")
    put(app, code="123-456", agent="Phone 999-999")
    assert mailbox.code_for("bob@example.org") == "123456"


def test_where_no_code_was_mailed_the_test_fails(app, mailbox):
    enable_email(app, BOB)
    with pytest.raises(AssertionError, match="no code"):
        mailbox.code_for("bob@example.org")


def test_a_cleared_mailbox_is_empty(app, mailbox):
    enable_email(app, BOB)
    mailbox.clear()
    assert mailbox.messages_to("bob@example.org") == []


def test_a_mailbox_that_would_send_real_mails_is_refused(app):
    app.extensions["mailman"].backend = "smtp"
    with pytest.raises(AssertionError, match="locmem"):
        Mailbox(app)

"""`e2ereset.testing`: what hosts' tests stand on."""

import pytest

from e2ereset.testing import Mailbox, enable_email, enrol_totp
from tests.kit.host import BOB

ADDRESS = "bob@example.org"


@pytest.fixture
def device(host):
    return enrol_totp(host.app, BOB)


@pytest.fixture
def mailbox(host):
    return Mailbox(host.app)


def test_a_device_never_gives_a_code_twice_until_the_clock_ticks(device, host):
    before = host.clock()
    assert (device.next_code(), device.next_code()) == (device.code(), device.code(30))
    with pytest.raises(AssertionError, match="tick"):
        device.next_code()
    host.clock.tick(30)
    assert host.clock() == before + 30
    assert device.next_code() == device.code(30)


def test_a_code_that_is_too_early_does_not_count_as_given(device):
    device.code(drift=3600)
    assert device.next_code() == device.code()


def test_no_secret_is_in_the_repr_of_a_device(device):
    assert device.secret not in repr(device)
    assert device.backup_codes[0] not in repr(device)


def test_deliver_returns_what_is_new(host, mailbox):
    enable_email(host.app, BOB)
    assert [mail.to for mail in mailbox.deliver()] == [ADDRESS]
    assert mailbox.deliver() == []


def test_the_newest_code_is_found_and_no_other_digits(host, mailbox):
    now = int(host.clock())
    facts = {"action": "x", "phrase": "x", "signs_out": False, "username": "bob", "address": ""}
    facts |= {"expires_at": now + 60, "agent": "Phone 999-999"}
    with host.runtime.transactions.begin() as session:
        for code in ("111-111", "123-456"):
            queued = facts | {"code": code}
            host.runtime.jobs.put(session, "code", queued, recipients=[ADDRESS], now=now)
    assert mailbox.code_for(ADDRESS) == "123456"


def test_where_no_code_was_mailed_the_test_fails(host, mailbox):
    enable_email(host.app, BOB)
    with pytest.raises(AssertionError, match="no code"):
        mailbox.code_for(ADDRESS)


def test_a_cleared_mailbox_is_empty(host, mailbox):
    enable_email(host.app, BOB)
    mailbox.clear()
    assert mailbox.messages_to(ADDRESS) == []


def test_a_mailbox_that_would_send_real_mails_is_refused(host):
    host.app.extensions["mailman"].backend = "smtp"
    with pytest.raises(AssertionError, match="locmem"):
        Mailbox(host.app)

"""A host that knows how its users read: pages and mails have their language and their times."""

import re

import pytest

from e2ereset.records import Reader
from e2ereset.testing import Mailbox, MemoryAccounts, enable_email, make_account
from tests.kit.host import BOB
from tests.kit.pages import PagesHost

AT = "15. Januar 2027, 09:00 CET"


class Readers(MemoryAccounts):
    """Accounts of people in Vienna."""

    def reader(self, session, account_id):
        assert session.is_active
        return Reader(language="de", zone="Europe/Vienna") if account_id == BOB.id else None

    def set_language(self, session, account_id, language):
        """Bob keeps his."""


def test_pages_and_mails_are_in_the_readers_language_and_zone(make_host):
    host = make_host("pages", kind=PagesHost, accounts=Readers(BOB), MAIL_BACKEND="locmem")
    page = host.browser.get("/security/", headers={"Accept-Language": "en"}).text
    assert f" {AT}." in page
    mailbox = Mailbox(host.app)
    mailbox.clear()
    enable_email(host.app, BOB)
    (mail,) = mailbox.deliver()
    assert f"Wann: {AT}" in mail.text
    assert (AT in mail.html, '<html lang="de" dir="ltr">' in mail.html) == (True, True)


@pytest.mark.parametrize("pages", ["", "https://app.example.org/security"])
def test_a_mail_names_the_workspace_and_links_only_to_the_address_that_is_set(make_host, pages):
    host = make_host(MAIL_BACKEND="locmem", E2ERESET_PAGES_URL=pages, E2ERESET_WORKSPACE="The Shop")
    mailbox = Mailbox(host.app)
    enable_email(host.app, BOB)
    host.clock.tick(60)
    host.reset(BOB)
    mails = mailbox.deliver()
    assert [mail.subject[:5] for mail in mails] == ["Your ", "Your "]
    for mail in mails:
        links = [re.findall(r"https?://[^\s<\"]+", part) for part in (mail.text, mail.html)]
        assert links == ([[f"{pages}/"], [f"{pages}/"] * 2] if pages else [[], []])
        assert mail.text.rstrip().endswith("The Shop")
        assert "<strong>The Shop</strong>" in mail.html


@pytest.mark.parametrize("has_password", [False, True])
def test_only_who_has_a_password_is_told_to_change_it(make_host, has_password):
    ann = make_account("ann", has_password=has_password)
    host = make_host(accounts=MemoryAccounts(ann), MAIL_BACKEND="locmem")
    enable_email(host.app, ann)
    (mail,) = Mailbox(host.app).deliver()
    assert ("Change your password." in mail.text) is has_password

"""A host that knows how its users read: pages and mails have their language and their times."""

from e2ereset.records import Reader
from e2ereset.testing import Mailbox, MemoryAccounts, enable_email
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

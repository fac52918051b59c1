"""Which way a host's mails go, and what they call the host."""

import re
import smtplib
from urllib.parse import unquote

import flask_mail
import pytest
from flask import current_app
from flask_mailman import Mail as Mailman

from e2ereset import Message
from e2ereset.testing import Mailbox, enable_email, enrol_totp, make_account
from tests.kit.host import BOB, HostAccounts
from tests.kit.relay import Relay

TO = BOB.emails[0]


def flask_mail_first(app):
    """The host has Flask-Mail before it has us."""
    flask_mail.Mail(app)


def mailed(host):
    """Have bob told of something; the mails that went out."""
    enable_email(host.app, BOB)
    host.runtime.worker.run_due()


@pytest.fixture(params=["before", "after"])
def with_flask_mail(request, make_host):
    """Makes hosts with Flask-Mail, which comes before us or after."""

    def make(**config):
        if request.param == "before":
            return make_host(before=flask_mail_first, **config)
        host = make_host(**config)
        flask_mail.Mail(host.app)
        return host

    return make


def test_a_host_with_flask_mail_sees_our_mails(with_flask_mail):
    host = with_flask_mail()
    with host.app.app_context(), host.app.extensions["mail"].record_messages() as sent:
        mailed(host)
    (message,) = sent
    assert (message.recipients, message.sender) == ([TO], "e2ereset@localhost")
    assert "Codes by e-mail were switched on" in message.body
    assert "Codes by e-mail were switched on" in message.html
    assert message.extra_headers == {"Auto-Submitted": "auto-generated"}


@pytest.mark.parametrize("suppress", [True, False])
def test_a_mail_goes_to_flask_mails_relay_unless_that_is_suppressed(with_flask_mail, suppress):
    with Relay() as relay:
        mailed(with_flask_mail(MAIL_SUPPRESS_SEND=suppress, MAIL_PORT=relay.port))
    assert [mail["To"] for mail in relay.mails] == ([] if suppress else [TO])
    ours = re.compile(r"<[0-9a-f]{32}@localhost>")  # the same when it is sent again
    assert all(ours.fullmatch(mail["Message-ID"]) for mail in relay.mails)


def test_no_flask_mailman_appears_beside_flask_mail(make_host):
    assert "mailman" not in make_host(before=flask_mail_first).app.extensions


def test_the_hosts_flask_mailman_comes_before_its_flask_mail(make_host):
    host = make_host(before=lambda app: (Mailman(app), flask_mail.Mail(app)))
    mailed(host)
    assert [mail.to for mail in host.app.extensions["mailman"].outbox] == [[TO]]


def test_flask_mail_is_not_trusted_with_an_address_that_it_would_mangle(make_host):
    umlaut = make_account("bob", emails=("j\u00fcrgen@x.org",))
    host = make_host(before=flask_mail_first, accounts=HostAccounts(umlaut))
    enable_email(host.app, umlaut)
    assert host.runtime.worker.run_due() == 0


@pytest.mark.parametrize("trusted", [True, False])
def test_flask_mails_relay_has_to_show_its_certificate(
    make_host, certificate, monkeypatch, trusted
):
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    config = {"MAIL_USE_TLS": True, "MAIL_SUPPRESS_SEND": False}
    with Relay(tls_context=certificate.context, require_starttls=True) as relay:
        mailed(make_host(before=flask_mail_first, MAIL_PORT=relay.port, **config))
    assert len(relay.mails) == trusted


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_hosts_own_function_gets_each_mail(make_host, asynchronous):
    sent = []

    def send(message):
        assert current_app.name == "host"
        sent.append(message)

    async def send_later(message):
        send(message)

    options = {"send": send_later if asynchronous else send}
    mailed(make_host(options=options, before=flask_mail_first))
    (message,) = sent
    assert isinstance(message, Message)
    assert (message.recipient, message.sender) == (TO, "e2ereset@localhost")
    assert message.text != message.html


def test_what_the_hosts_function_does_not_deliver_is_tried_again(make_host):
    ids = []

    def send(message):
        ids.append(message.message_id)
        if len(ids) == 1:
            raise smtplib.SMTPServerDisconnected

    host = make_host(options={"send": send})
    mailed(host)
    host.clock.tick(60)
    host.runtime.worker.run_due()
    assert ids == ids[:1] * 2


@pytest.mark.parametrize("way", [{"before": flask_mail_first}, {"options": {"send": repr}}])
def test_a_mail_box_holds_what_went_any_way(make_host, way):
    host = make_host(**way)
    mailbox = Mailbox(host.app)
    enable_email(host.app, BOB)
    assert [mail.to for mail in mailbox.deliver()] == [TO]
    host.clock.tick(60)
    host.reset(BOB)
    assert len(mailbox.code_for(TO)) == 6
    mailbox.clear()
    assert mailbox.messages_to(TO) == []


def test_a_mail_box_that_would_send_real_mails_by_flask_mail_is_refused(make_host):
    host = make_host(before=flask_mail_first, MAIL_SUPPRESS_SEND=False)
    with pytest.raises(AssertionError, match="MAIL_SUPPRESS_SEND"):
        Mailbox(host.app)


def test_accounts_that_look_for_their_app_are_asked_within_it(make_host):
    asked = []

    class Accounts(HostAccounts):
        def find(self, session, username):
            asked.append(current_app.name)

    host = make_host(accounts=Accounts())
    host.post("/api/v1/users.2fa.sendEmailCode", json={"emailOrUsername": "bob"})
    host.runtime.worker.run_due()
    assert asked == ["host"]


@pytest.mark.parametrize("server", [None, ""])
def test_a_relay_without_a_name_is_said_at_start_and_by_doctor(make_host, caplog, server):
    host = make_host(MAIL_SERVER=server, MAIL_BACKEND="smtp", TESTING=False)
    assert "MAIL_SERVER is empty" in caplog.text
    assert "mail-server-missing" in host.run("e2ereset", "doctor").output


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ({"before": flask_mail_first, "MAIL_SUPPRESS_SEND": True}, "mail-backend-for-tests"),
        ({"options": {"send": print}}, None),
    ],
)
def test_doctor_knows_the_way(make_host, way, code):
    output = make_host(**way).run("e2ereset", "doctor").output
    found = {word.rstrip(":") for word in output.split() if word.startswith(("mail-", "relay"))}
    assert found & {"mail-backend-for-tests", "relay-gone"} == ({code} if code else set())


def test_mails_and_authenticators_call_the_host_by_its_name(make_host):
    host = make_host(MAIL_BACKEND="locmem")
    assert "issuer=host" in unquote(host.runtime.factors.begin_totp(BOB).url)
    enrol_totp(host.app, BOB)
    assert "host" in Mailbox(host.app).messages_to(TO)[0].text


def test_a_name_that_the_host_gives_wins(make_host):
    settings = make_host(E2ERESET_WORKSPACE="Chat", E2ERESET_TOTP_ISSUER="App").runtime.settings
    assert (settings.workspace, settings.totp_issuer) == ("Chat", "App")

"""The mails of the queue, and their way out: with a real database and a real SMTP server."""

import socket
import time
from contextlib import contextmanager, suppress
from threading import Thread, active_count

import pytest
from flask import Flask
from flask_mailman import Mail
from flask_mailman.backends.smtp import EmailBackend

from e2ereset.jobs.leases import LEASE_SECONDS
from e2ereset.languages import Languages
from e2ereset.mail import Letterhead, Mailer, Message, Transport
from e2ereset.mail import smtp as smtp_module
from tests.kit.jobs import CODE
from tests.kit.network import wait_for
from tests.kit.relay import Relay

BOB, UMLAUT = "bob@example.org", "j\u00fcrgen@example.test"
HELLO = Message(
    sender="Schlüssel <keys@chat.example>",
    recipient=BOB,
    subject="Grüße an bob",
    text="Hällo bob,\n\n123-456\n",
    html="<p>Hällo bob</p>\n",
    message_id="<1@chat.example>",
)


@pytest.fixture
def app():
    return mailing(MAIL_BACKEND="smtp", MAIL_SERVER="127.0.0.1")


def mailing(**config):
    app = Flask(__name__)
    app.config.update(config)
    Mail(app)
    return app


@contextmanager
def relay_of(app, **options):
    """A relay that the app uses."""
    with Relay(**options) as relay:
        app.extensions["mailman"].port = relay.port
        yield relay


@pytest.fixture
def smtp(app):
    """A relay that takes no addresses beyond ASCII."""
    with relay_of(app, enable_SMTPUTF8=False) as relay:
        yield relay


class Post:
    """Mails in a queue, and workers that send them through the app."""

    def __init__(self, desk, app):
        self.desk, self.app, self.clock = desk, app, desk.clock
        self.rows, self.states = desk.rows, desk.states

    def put(self, *recipients):
        self.desk.put("code", *recipients, facts=CODE, expires_at=CODE["expires_at"])

    def deliver(self, send=None, sender="Keys <keys@chat.example>"):
        """Deliver what is due; the number of mails that were sent."""
        mailer = Mailer(
            send or Transport(self.app, None),
            sender=sender,
            letterhead=Letterhead(workspace="chat.example"),
            words_of=lambda _account: Languages(["en"]).words(),
        )
        return self.desk.worker(**mailer.handlers()).run_due()


@pytest.fixture
def post(desk, app):
    return Post(desk, app)


def assert_has_code(mail):
    assert "123-456" in mail.get_body(("plain",)).get_content()
    assert "<strong>123-456</strong>" in mail.get_body(("html",)).get_content()


def test_a_due_mail_arrives_with_text_and_html(post, smtp):
    post.put(BOB)
    assert post.deliver() == 1
    [mail] = smtp.mails
    assert (mail["From"], mail["To"]) == ("Keys <keys@chat.example>", BOB)
    assert mail["Subject"] == "Your code to reset the E2E key of bob"
    assert_has_code(mail)


def test_a_relay_that_is_gone_delays_mails_and_leaves_no_thread_behind(post, smtp):
    smtp.stop()
    before = active_count()
    post.put(*(f"{n}@example.org" for n in range(20)))
    assert post.deliver() == 0
    assert {row.outcome for row in post.rows()} == {"ConnectionRefusedError"}
    wait_for(lambda: active_count() <= before, "the end of the watching threads")
    smtp.start()
    post.clock.tick(60)
    assert post.deliver() == len(smtp.mails) == 20


def test_a_repeated_mail_has_the_same_message_id_and_another_mail_another(post):
    sent = []

    def send_and_fail(message):
        sent.append(message.message_id)
        raise TimeoutError

    post.put("a@example.org", "b@example.org")
    for _ in range(2):
        post.deliver(send=send_and_fail)
        post.clock.tick(60)
    first, second, *again = sent
    assert first != second
    assert again == [first, second]
    assert first.endswith("@chat.example>")


def test_a_message_keeps_its_id_and_says_that_a_machine_wrote_it(app, smtp):
    Transport(app, None)(HELLO)
    [mail] = smtp.mails
    assert mail["Message-ID"] == "<1@chat.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == "Grüße an bob"
    assert mail.get_content_type() == "multipart/alternative"
    text, html = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())
    assert (text, html) == (HELLO.text, HELLO.html)


@pytest.mark.parametrize(("setting", "seconds"), [(None, 30), (7, 7)])
def test_an_smtp_dialogue_is_bounded_in_time(setting, seconds):
    class Shown(EmailBackend):
        def open(self):
            raise TimeoutError(self.timeout)

    with pytest.raises(TimeoutError, match=f"^{seconds}$"):
        Transport(mailing(MAIL_BACKEND=Shown, MAIL_TIMEOUT=setting), None)(HELLO)


def test_a_server_that_is_gone_before_the_goodbye_has_the_mail(app, smtp):
    async def hang_up(server, session, envelope, *args):
        server.transport.abort()

    smtp.handle_QUIT = hang_up
    Transport(app, None)(HELLO)
    assert len(smtp.mails) == 1


@pytest.fixture
def dribbler(app):
    """A relay that sends one byte of an endless greeting after another."""

    def dribble():
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            while True:
                connection.sendall(b"2")
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        app.extensions["mailman"].port = listener.getsockname()[1]
        thread = Thread(target=dribble)
        thread.start()
        yield
        thread.join()


def test_a_relay_that_never_comes_to_an_end_is_hung_up_on(post, dribbler, monkeypatch):
    monkeypatch.setattr(smtp_module, "MOST_SECONDS", 0.3)
    post.put(BOB)
    assert post.deliver() == 0
    # A byte or two of its greeting may have come before.
    assert post.rows()[0].outcome in ("SMTPConnectError", "SMTPServerDisconnected")


@pytest.fixture
def international(app):
    """A relay that takes addresses beyond ASCII."""
    with relay_of(app, enable_SMTPUTF8=True) as relay:
        yield relay


@pytest.mark.parametrize(
    ("address", "named"),
    [(UMLAUT, UMLAUT), ("j\u00fcrgen@b\u00fccher.test", "j\u00fcrgen@xn--bcher-kva.test")],
)
def test_an_address_beyond_ascii_is_written_as_it_is_where_the_relay_takes_it(
    post, international, address, named
):
    post.put(address)
    assert post.deliver() == 1
    assert international.envelopes == [("keys@chat.example", named)]
    [mail] = international.mails
    assert (mail["To"], mail["From"]) == (named, "Keys <keys@chat.example>")
    assert_has_code(mail)
    assert mail["Message-ID"].endswith("@chat.example>")


def test_an_address_that_the_relay_cannot_take_has_failed_at_once_and_alone(post, smtp, caplog):
    post.put(UMLAUT, BOB)
    assert post.deliver() == 1
    assert smtp.envelopes == [("keys@chat.example", BOB)]
    assert post.states() == ["failed", "delivered"]
    row = post.rows()[0]
    assert (row.sealed, row.due_at) == (None, None)
    assert row.outcome == "undeliverable: the relay offers no SMTPUTF8"
    assert UMLAUT not in caplog.text


@pytest.mark.parametrize(
    ("domain", "named"),
    [
        ("b\u00fccher.test", "xn--bcher-kva.test"),
        ("B\u00dcCHER.test", "xn--bcher-kva.test"),
        ("bu\u0308cher.test", "xn--bcher-kva.test"),
        ("stra\u00dfe.test", "xn--strae-oqa.test"),  # and not strasse.test, which is another's
        ("Example.TEST", "Example.TEST"),
    ],
)
def test_a_domain_beyond_ascii_is_named_as_dns_names_it(post, smtp, domain, named):
    post.put(f"bob@{domain}")
    assert post.deliver() == 1
    assert smtp.envelopes == [("keys@chat.example", f"bob@{named}")]
    assert smtp.mails[0]["To"] == f"bob@{named}"


@pytest.mark.parametrize("sender", ["k\u00fc@chat.example", "K\u00fc <k\u00fc@b\u00fc.test>"])
def test_a_sender_beyond_ascii_is_written_as_it_is(post, international, sender):
    post.put(BOB)
    assert post.deliver(sender=sender) == 1
    assert international.envelopes[0][0].startswith("k\u00fc@")
    assert "k\u00fc@" in international.mails[0]["From"]


def test_a_lease_is_longer_than_a_dialogue_with_a_relay():
    assert smtp_module.MOST_SECONDS < LEASE_SECONDS


@pytest.fixture
def encrypted(app, certificate):
    """A relay that wants STARTTLS, and the app that uses it."""
    app.extensions["mailman"].use_tls = True
    with relay_of(app, tls_context=certificate.context, require_starttls=True) as relay:
        yield relay


@pytest.mark.parametrize("backend", ["smtp", "flask_mailman.backends.smtp"])
def test_no_mail_goes_to_a_relay_whose_certificate_does_not_verify(post, encrypted, backend):
    post.app.extensions["mailman"].backend = backend
    post.put(BOB)
    assert post.deliver() == 0
    assert encrypted.mails == []
    assert [row.outcome for row in post.rows()] == ["SSLCertVerificationError"]


def test_a_relay_under_a_trusted_certificate_gets_the_mail(
    post, encrypted, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    post.put(BOB)
    assert post.deliver() == len(encrypted.mails) == 1


@pytest.mark.parametrize("backend", ["locmem", "file", "console", "dummy"])
def test_every_backend_of_flask_mailman_takes_a_message(backend, tmp_path, capsys):
    Transport(mailing(MAIL_BACKEND=backend, MAIL_FILE_PATH=str(tmp_path)), None)(HELLO)
    kept = capsys.readouterr().out + "".join(path.read_text() for path in tmp_path.iterdir())
    assert ("Message-ID: <1@chat.example>" in kept) == (backend in ("file", "console"))

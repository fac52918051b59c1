"""Delivery: leases, failures and ends, with a real database and a real SMTP server."""

import logging
import secrets
import socket
import time
from contextlib import contextmanager, suppress
from email import message_from_bytes
from email.policy import default
from threading import Barrier, Thread, active_count

import pytest
from aiosmtpd.controller import Controller
from flask import Flask
from flask_mailman import Mail
from flask_mailman.backends.smtp import EmailBackend
from sqlalchemy import select, text

from e2ereset.crypto import KeyRing
from e2ereset.jobs.queue import Outbox, tail
from e2ereset.jobs.worker import GIVE_UP_SECONDS, LEASE_SECONDS, NEXT, OUTBOX, Deliverer
from e2ereset.mail import smtp as smtp_module
from e2ereset.mail.messages import Message
from e2ereset.mail.transport import mailman_send
from e2ereset.store.tables import Base
from e2ereset.store.transactions import Transactions
from tests.kit.databases import only_sqlite
from tests.kit.network import wait_for

START = 1_767_225_600
KEYS = KeyRing(["a secret key of the tests"])
CODE = {
    "username": "bob",
    "phrase": "reset the E2E key of bob",
    "code": "123-456",
    "expires_at": START + 600,
    "address": "192.0.2.7",
    "agent": "Curl/8.1",
}
LITERAL = {"literal_binds": True}
CHANGED = {"username": "bob", "change": "TOTP was enabled.", "at": START}
HELLO = Message(
    sender="Schlüssel <keys@chat.example>",
    recipient="bob@example.org",
    subject="Grüße an bob",
    text="Hällo bob,\n\n123-456\n",
    html="<p>Hällo bob</p>\n",
    message_id="<1@chat.example>",
)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return float(self.now)


class SmtpServer(Controller):
    """Keeps the mails it gets. Its port refuses connections until it is started."""

    def __init__(self, **options):
        self.mails, self.envelopes, self.refuses = [], [], False
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        super().__init__(self, "127.0.0.1", self.socket.getsockname()[1], **options)

    def _create_server(self):
        return self.loop.create_server(self._factory_invoker, sock=self.socket)

    async def handle_DATA(self, server, session, envelope):
        if self.refuses:
            return "554 123-456 is not for bob@example.org"
        self.envelopes.append((envelope.mail_from, *envelope.rcpt_tos))
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def close(self):
        if self._thread:
            self.stop()
        self.loop.close()
        self.socket.close()


class Desk:
    """An outbox, its clock, and deliverers for it."""

    def __init__(self, connect, app):
        self._connect, self.app = connect, app
        self.clock = Clock()
        self.store = self.connect()
        Base.metadata.create_all(self.store.engine)

    def connect(self):
        engine = self._connect()
        return Transactions(lambda: engine)

    def deliverer(self, **options):
        parts = {
            "clock": self.clock,
            "entropy": secrets,
            "send": mailman_send(self.app),
            "sender": "Keys <keys@chat.example>",
            "workspace": "chat.example",
        }
        return Deliverer(self.connect(), KEYS, **{**parts, **options})

    def put(self, *recipients, kind="code", facts=CODE, expires_at=None):
        with self.store.begin() as session:
            Outbox(KEYS).put(
                session, kind, recipients, facts, now=self.clock.now, expires_at=expires_at
            )

    def put_chore(self, name):
        now, facts = self.clock.now, {"name": name}
        with self.store.begin() as session:
            Outbox(KEYS).put_chore(
                session, "chore", facts, once=name, now=now, expires_at=now + 600
            )

    def rows(self):
        with self.store.read() as session:
            return session.execute(select(OUTBOX).order_by(OUTBOX.c.id)).all()

    def states(self):
        with self.store.read() as session:
            return [mail["state"] for mail in tail(session, 100)]


@pytest.fixture
def smtp():
    server = SmtpServer()
    yield server
    server.close()


@pytest.fixture
def app(smtp):
    app = Flask(__name__)
    app.config.update(MAIL_BACKEND="smtp", MAIL_SERVER="127.0.0.1", MAIL_PORT=smtp.port)
    Mail(app)
    return app


@pytest.fixture
def desk(connect, app):
    return Desk(connect, app)


def refuse(message):
    raise ConnectionRefusedError(f"{message.recipient} {message.text}")


def test_a_due_mail_arrives_with_text_and_html(desk, smtp):
    smtp.start()
    desk.put("bob@example.org")
    assert desk.deliverer().deliver_due() == 1
    [mail] = smtp.mails
    assert (mail["From"], mail["To"]) == ("Keys <keys@chat.example>", "bob@example.org")
    assert mail["Subject"] == "Your code to reset the E2E key of bob"
    assert "123-456" in mail.get_body(("plain",)).get_content()
    assert "<strong>123-456</strong>" in mail.get_body(("html",)).get_content()


def test_a_delivered_mail_is_closed_and_its_body_gone(desk, smtp):
    smtp.start()
    desk.put("bob@example.org")
    desk.deliverer().deliver_due()
    [row] = desk.rows()
    assert (row.sealed, row.due_at, row.lease) == (None, None, None)
    assert (row.delivered_at, row.outcome, row.attempts) == (START, "delivered", 1)


def test_a_delivered_mail_is_not_sent_again(desk, smtp):
    smtp.start()
    desk.put("bob@example.org")
    desk.deliverer().deliver_due()
    desk.clock.now += GIVE_UP_SECONDS
    assert desk.deliverer().deliver_due() == 0
    assert len(smtp.mails) == 1


def test_an_empty_outbox_writes_nothing(desk):
    other = desk.connect()
    with other.begin() as session:
        session.execute(OUTBOX.delete())  # holds SQLite's write lock
        assert desk.deliverer().deliver_due() == 0


def test_a_server_that_is_down_delays_the_mail(desk, smtp):
    desk.put("bob@example.org")
    deliverer = desk.deliverer()
    assert deliverer.deliver_due() == 0
    [row] = desk.rows()
    assert (row.outcome, row.due_at) == ("ConnectionRefusedError", START + 5)
    smtp.start()
    assert deliverer.deliver_due() == 0  # not due yet
    desk.clock.now += 60
    assert deliverer.deliver_due() == 1
    assert len(smtp.mails) == 1


def test_pauses_double_up_to_a_quarter_of_an_hour(desk):
    desk.put("bob@example.org")
    deliverer, pauses = desk.deliverer(send=refuse), []
    for _ in range(10):
        deliverer.deliver_due()
        [row] = desk.rows()
        pauses.append(row.due_at - desk.clock.now)
        desk.clock.now = row.due_at
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_a_mail_is_given_up_after_a_week_and_its_body_gone(desk):
    desk.put("bob@example.org")
    desk.clock.now += GIVE_UP_SECONDS
    desk.deliverer(send=refuse).deliver_due()
    [row] = desk.rows()
    assert (row.sealed, row.due_at, row.delivered_at) == (None, None, None)
    assert row.outcome == "gave up: ConnectionRefusedError"
    assert desk.states() == ["failed"]


def test_a_failure_is_kept_and_logged_without_its_text(desk, smtp, caplog):
    smtp.start()
    smtp.refuses = True
    desk.put("bob@example.org")
    with caplog.at_level(logging.INFO, "e2ereset"):
        desk.deliverer().deliver_due()
    [row] = desk.rows()
    assert row.outcome == "SMTPDataError"
    assert "123-456" not in caplog.text
    assert "bob@example.org" not in caplog.text


def test_an_expired_code_is_never_sent_and_its_body_gone(desk, smtp):
    smtp.start()
    desk.put("bob@example.org", expires_at=START + 600)
    desk.clock.now += 600
    assert desk.deliverer().deliver_due() == 0
    assert smtp.mails == []
    [row] = desk.rows()
    assert (row.sealed, row.due_at, row.outcome) == (None, None, "expired")
    assert desk.states() == ["expired"]


def test_a_code_that_fails_is_due_when_it_expires_at_the_latest(desk):
    desk.put("bob@example.org", expires_at=START + 3)
    desk.deliverer(send=refuse).deliver_due()
    assert desk.rows()[0].due_at == START + 3


@pytest.mark.parametrize(
    ("broken", "outcome"),
    [
        ({"sealed": "0000:AAAA"}, "UnknownKey"),
        ({"sealed": "no box at all"}, "UnknownKey"),
        ({"recipient": "mallory@example.org"}, "UnknownKey"),
        (
            {"sealed": Outbox(KEYS)._keys.encrypt("outbox", "code\na@example.org", "[")},
            "JSONDecodeError",
        ),
        ({"kind": "no-such-kind"}, "UnknownKey"),
    ],
)
def test_a_mail_that_can_not_be_opened_fails_alone(desk, smtp, broken, outcome):
    smtp.start()
    desk.put("a@example.org", "b@example.org")
    with desk.store.begin() as session:
        session.execute(OUTBOX.update().where(OUTBOX.c.id == 1).values(**broken))
    assert desk.deliverer().deliver_due() == 1
    assert [mail["To"] for mail in smtp.mails] == ["b@example.org"]
    assert desk.rows()[0].outcome == outcome


@pytest.mark.parametrize(
    ("kind", "facts", "outcome"),
    [("no-such-kind", CODE, "TemplateNotFound"), ("code", {}, "UndefinedError")],
)
def test_a_mail_that_can_not_be_rendered_fails_alone(desk, smtp, kind, facts, outcome):
    smtp.start()
    desk.put("a@example.org", kind=kind, facts=facts)
    desk.put("b@example.org")
    assert desk.deliverer().deliver_due() == 1
    assert desk.rows()[0].outcome == outcome


def test_a_mail_is_leased_and_no_transaction_is_open_while_it_is_sent(desk):
    seen = []

    def send(message):
        with desk.connect().begin() as session:  # would wait for a writer
            session.execute(OUTBOX.update().values(attempts=OUTBOX.c.attempts))
        seen.append((desk.rows()[0].due_at, desk.states()))

    desk.put("bob@example.org")
    desk.deliverer(send=send).deliver_due()
    assert seen == [(START + LEASE_SECONDS, ["leased"])]


def test_codes_go_before_notices_and_notices_before_chores(desk):
    done = []
    desk.put_chore("old")
    desk.clock.now += 1
    desk.put("notice@example.org", kind="factor-changed", facts=CHANGED)
    desk.clock.now += 1
    desk.put("code@example.org", expires_at=START + 600)
    desk.deliverer(
        send=lambda mail: done.append(mail.recipient),
        chores={"chore": lambda facts, _now: done.append(facts["name"])},
    ).deliver_due()
    assert done == ["code@example.org", "notice@example.org", "old"]


def test_a_code_that_is_queued_during_a_delivery_is_the_next(desk):
    sent = []

    def send(message):
        if not sent:
            desk.clock.now += 1
            desk.put("code@example.org", expires_at=START + 600)
        sent.append(message.recipient)

    desk.put(*(f"{n}@example.org" for n in range(3)), kind="factor-changed", facts=CHANGED)
    desk.deliverer(send=send).deliver_due()
    assert sent[1] == "code@example.org"


def test_a_notice_that_is_queued_during_a_delivery_is_left_to_the_next(desk):
    def send(message):
        desk.clock.now += 1
        desk.put("again@example.org", kind="factor-changed", facts=CHANGED)

    desk.put("bob@example.org", kind="factor-changed", facts=CHANGED)
    assert desk.deliverer(send=send).deliver_due() == 1


@only_sqlite  # PostgreSQL chooses by the size of the table
def test_the_next_mail_is_found_by_the_index(desk):
    times = {"due_by": START, "now": START}
    with desk.store.read() as session:
        query = NEXT.params(times).compile(session.connection(), compile_kwargs=LITERAL)
        plan = str(session.execute(text(f"EXPLAIN QUERY PLAN {query}")).all())
    assert "ix_e2ereset_outbox_due" in plan
    assert "TEMP B-TREE" not in plan


def test_a_chore_waits_once_for_each_name_and_again_when_it_was_done(desk):
    done = []
    deliverer = desk.deliverer(chores={"chore": lambda facts, _now: done.append(facts["name"])})
    for _ in range(2):
        for name in ("bob", "bob", "sue"):
            desk.put_chore(name)
        assert len(desk.rows()) == 2
        deliverer.deliver_due()
    assert done == ["bob", "sue"] * 2
    assert desk.rows() == []


def test_a_chore_that_is_asked_for_again_waits_for_as_long_as_the_last(desk):
    desk.put_chore("bob")
    desk.clock.now += 599
    desk.put_chore("bob")
    desk.clock.now += 599
    done = []
    desk.deliverer(chores={"chore": lambda facts, _now: done.append(facts["name"])}).deliver_due()
    assert done == ["bob"]


def test_a_chore_that_expired_makes_way_for_the_next(desk):
    desk.put_chore("bob")
    desk.clock.now += 600
    desk.deliverer(chores={"chore": refuse}).deliver_due()
    assert desk.rows() == []


def test_a_leased_mail_is_left_alone_until_the_lease_runs_out(desk, smtp):
    smtp.start()
    desk.put("bob@example.org")
    assert desk.deliverer()._lease(START)  # and its process is killed
    desk.clock.now += LEASE_SECONDS - 1
    assert desk.deliverer().deliver_due() == 0
    desk.clock.now += 1
    assert desk.deliverer().deliver_due() == 1


def test_a_deliverer_that_lost_its_lease_does_not_touch_the_mail(desk):
    sent = []

    def dawdle(message):
        desk.clock.now += LEASE_SECONDS
        desk.deliverer(send=sent.append).deliver_due()
        raise TimeoutError

    desk.put("bob@example.org")
    desk.deliverer(send=dawdle).deliver_due()
    assert len(sent) == 1
    [row] = desk.rows()
    assert (row.outcome, row.due_at) == ("delivered", None)


def test_a_repeated_mail_has_the_same_message_id_and_another_mail_another(desk):
    sent = []

    def send_and_fail(message):
        sent.append(message.message_id)
        raise TimeoutError

    desk.put("a@example.org", "b@example.org")
    for _ in range(2):
        desk.deliverer(send=send_and_fail).deliver_due()
        desk.clock.now += 60
    first, second, *again = sent
    assert first != second
    assert again == [first, second]
    assert first.endswith("@chat.example>")


def test_a_call_ends_though_the_server_hangs(desk):
    def hang(message):
        desk.clock.now += 30
        raise TimeoutError

    desk.put(*(f"{n}@example.org" for n in range(5)))
    desk.deliverer(send=hang).deliver_due()
    assert [row.attempts for row in desk.rows()] == [1] * 5


def test_two_deliverers_send_every_mail_once(desk):
    desk.put(*(f"{n}@example.org" for n in range(30)))
    sent, counts, barrier = [], [], Barrier(2)

    def work(deliverer):
        barrier.wait()
        counts.append(deliverer.deliver_due())

    threads = [Thread(target=work, args=(desk.deliverer(send=sent.append),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == len(sent) == len({message.recipient for message in sent}) == 30
    assert set(desk.states()) == {"delivered"}


def test_a_message_keeps_its_id_and_says_that_a_machine_wrote_it(app, smtp):
    smtp.start()
    mailman_send(app)(HELLO)
    [mail] = smtp.mails
    assert mail["Message-ID"] == "<1@chat.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == "Grüße an bob"
    assert mail.get_content_type() == "multipart/alternative"
    text, html = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())
    assert (text, html) == (HELLO.text, HELLO.html)


def test_a_message_is_sent_from_a_thread_of_its_own(app, smtp):
    smtp.start()
    thread = Thread(target=mailman_send(app), args=(HELLO,))
    thread.start()
    thread.join()
    assert len(smtp.mails) == 1


@pytest.mark.parametrize(("setting", "seconds"), [(None, 30), (7, 7)])
def test_an_smtp_dialogue_is_bounded_in_time(app, setting, seconds):
    class Shown(EmailBackend):
        def open(self):
            raise TimeoutError(self.timeout)

    app.config.update(MAIL_BACKEND=Shown, MAIL_TIMEOUT=setting)
    Mail(app)
    with pytest.raises(TimeoutError, match=f"^{seconds}$"):
        mailman_send(app)(HELLO)


def test_a_server_that_says_nothing_is_a_failure(app, smtp):
    smtp.socket.listen()
    app.config.update(MAIL_TIMEOUT=0.05)
    Mail(app)
    with pytest.raises(OSError, match="timed out"):
        mailman_send(app)(HELLO)


def test_a_server_that_is_gone_before_the_goodbye_has_the_mail(app, smtp):
    async def hang_up(server, session, envelope, *args):
        server.transport.abort()

    smtp.handle_QUIT = hang_up
    smtp.start()
    mailman_send(app)(HELLO)
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


def test_a_relay_that_never_comes_to_an_end_is_hung_up_on(desk, dribbler, monkeypatch):
    monkeypatch.setattr(smtp_module, "MOST_SECONDS", 0.3)
    desk.put("bob@example.org")
    assert desk.deliverer().deliver_due() == 0
    assert [row.outcome for row in desk.rows()] == ["SMTPConnectError"]


def test_a_relay_that_is_gone_leaves_no_thread_behind(desk):
    before = active_count()
    desk.put(*(f"{n}@example.org" for n in range(20)))
    assert desk.deliverer().deliver_due() == 0
    wait_for(lambda: active_count() <= before, "the end of the watching threads")


UMLAUT = "j\u00fcrgen@example.test"


@contextmanager
def relay_of(app, **options):
    """A relay that the app uses."""
    server = SmtpServer(**options)
    server.start()
    app.extensions["mailman"].port = server.port
    yield server
    server.close()


@pytest.fixture
def international(app):
    """A relay that takes addresses beyond ASCII."""
    with relay_of(app, enable_SMTPUTF8=True) as relay:
        yield relay


@pytest.fixture
def old(app):
    """A relay that does not."""
    with relay_of(app, enable_SMTPUTF8=False) as relay:
        yield relay


def test_an_address_beyond_ascii_is_written_as_it_is_where_the_relay_takes_it(desk, international):
    desk.put(UMLAUT)
    assert desk.deliverer().deliver_due() == 1
    assert international.envelopes == [("keys@chat.example", UMLAUT)]
    [mail] = international.mails
    assert (mail["To"], mail["From"]) == (UMLAUT, "Keys <keys@chat.example>")
    assert "123-456" in mail.get_body(("plain",)).get_content()
    assert "<strong>123-456</strong>" in mail.get_body(("html",)).get_content()
    assert mail["Message-ID"].endswith("@chat.example>")


def test_an_address_that_the_relay_cannot_take_has_failed_at_once_and_alone(desk, old, caplog):
    desk.put(UMLAUT, "bob@example.org")
    assert desk.deliverer().deliver_due() == 1
    assert old.envelopes == [("keys@chat.example", "bob@example.org")]
    assert desk.states() == ["failed", "delivered"]
    row = desk.rows()[0]
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
def test_a_domain_beyond_ascii_is_named_as_dns_names_it(desk, old, domain, named):
    desk.put(f"bob@{domain}")
    assert desk.deliverer().deliver_due() == 1
    assert old.envelopes == [("keys@chat.example", f"bob@{named}")]
    assert old.mails[0]["To"] == f"bob@{named}"


def test_both_parts_of_an_address_may_be_beyond_ascii(desk, international):
    desk.put("j\u00fcrgen@b\u00fccher.test")
    desk.deliverer().deliver_due()
    assert international.envelopes[0][1] == "j\u00fcrgen@xn--bcher-kva.test"


@pytest.mark.parametrize("sender", ["k\u00fc@chat.example", "K\u00fc <k\u00fc@b\u00fc.test>"])
def test_a_sender_beyond_ascii_is_written_as_it_is(desk, international, sender):
    desk.put("bob@example.org")
    assert desk.deliverer(sender=sender).deliver_due() == 1
    local = sender.split("<")[-1].split("@")[0]
    assert international.envelopes[0][0].startswith(local)
    assert local in international.mails[0]["From"]


def test_an_ending_deliverer_sends_the_mail_in_hand_and_no_other(desk):
    sent = []
    desk.put("a@example.org", "b@example.org", "c@example.org")

    def send(message):
        sent.append(message.recipient)
        deliverer.ending.set()

    deliverer = desk.deliverer(send=send)
    assert deliverer.deliver_due() == 1
    assert desk.states() == ["delivered", "queued", "queued"]


def test_a_lease_is_longer_than_a_dialogue_with_a_relay():
    assert smtp_module.MOST_SECONDS < LEASE_SECONDS


@pytest.fixture
def encrypted(app, certificate):
    """A relay that wants STARTTLS, and the app that uses it."""
    app.extensions["mailman"].use_tls = True
    with relay_of(app, tls_context=certificate.context, require_starttls=True) as relay:
        yield relay


@pytest.mark.parametrize("backend", ["smtp", "flask_mailman.backends.smtp"])
def test_no_mail_goes_to_a_relay_whose_certificate_does_not_verify(desk, encrypted, backend):
    desk.app.extensions["mailman"].backend = backend
    desk.put("bob@example.org")
    assert desk.deliverer().deliver_due() == 0
    assert encrypted.mails == []
    assert [row.outcome for row in desk.rows()] == ["SSLCertVerificationError"]


def test_a_relay_under_a_trusted_certificate_gets_the_mail(
    desk, encrypted, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    desk.put("bob@example.org")
    assert desk.deliverer().deliver_due() == 1
    assert len(encrypted.mails) == 1


@pytest.mark.parametrize("backend", ["locmem", "file", "console", "dummy"])
def test_every_backend_of_flask_mailman_takes_a_message(backend, tmp_path, capsys):
    app = Flask(__name__)
    app.config.update(MAIL_BACKEND=backend, MAIL_FILE_PATH=str(tmp_path))
    Mail(app)
    mailman_send(app)(HELLO)
    kept = capsys.readouterr().out + "".join(path.read_text() for path in tmp_path.iterdir())
    assert ("Message-ID: <1@chat.example>" in kept) == (backend in ("file", "console"))

"""Flask-Mailman's way to a relay, but encrypted for that relay or not at all, and in time.

Addresses beyond ASCII are written as they are where the relay offers SMTPUTF8 (RFC 6531), and not
sent to where it does not: Flask-Mailman would write another address.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from email import message_from_bytes, policy
from email.utils import parseaddr
from threading import Event, Thread
from typing import Any

from flask_mailman.backends.smtp import EmailBackend

from e2ereset.jobs import GiveUp

from .messages import name_domain

MOST_SECONDS = 90.0
"""For one whole dialogue; shorter than a lease, so that no second worker takes the mail over.
MAIL_TIMEOUT is for each step, and begins anew with each byte of an answer."""
AGAIN_SECONDS = 0.5


class Timed(smtplib.SMTP):
    """A connection that is shut after MOST_SECONDS, wherever its dialogue stands."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._over = Event()
        Thread(target=self._watch, name="e2ereset-relay", daemon=True).start()
        try:
            super().__init__(*args, **options)
        except BaseException:
            self._over.set()
            raise

    def close(self) -> None:
        """Close it, in time or not."""
        self._over.set()
        super().close()

    def starttls(self, *_args: Any, **_options: Any) -> Any:
        """Encrypt. Raises ssl.SSLError when the certificate does not verify."""
        return super().starttls(context=ssl.create_default_context())

    def _watch(self) -> None:
        wait = MOST_SECONDS
        # Again and again: while it connects, or is being encrypted, there is no socket to shut.
        while not self._over.wait(wait):
            wait = AGAIN_SECONDS
            sock: socket.socket | None = getattr(self, "sock", None)
            with suppress(OSError):
                if sock is not None:
                    sock.shutdown(socket.SHUT_RDWR)


class TimedSSL(Timed, smtplib.SMTP_SSL):
    """The same, encrypted from the start."""


class Backend(EmailBackend):  # type: ignore[misc]
    """The backend `smtp`; by itself it takes any certificate under MAIL_USE_TLS."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """What is connected with."""
        return TimedSSL if self.use_ssl else Timed

    def _send(self, mail: Any) -> bool:
        """Send one mail. Raises GiveUp where the relay cannot take its address."""
        sender = parseaddr(mail.from_email)[1]
        mail.from_email = mail.from_email.replace(sender, name_domain(sender))
        mail.to = [name_domain(address) for address in mail.to]
        if all(map(str.isascii, (sender.rpartition("@")[0], *mail.to))):
            return bool(super()._send(mail))
        self._send_utf8(mail, name_domain(sender))
        return True

    def _send_utf8(self, mail: Any, sender: str) -> None:
        self.connection.ehlo_or_helo_if_needed()
        if not self.connection.has_extn("smtputf8"):
            raise GiveUp("undeliverable: the relay offers no SMTPUTF8")
        letter = message_from_bytes(mail.message().as_bytes(), policy=policy.SMTPUTF8)
        for name, words in (("From", mail.from_email), ("To", ", ".join(mail.to))):
            letter.replace_header(name, words)
        self.connection.send_message(letter, from_addr=sender, to_addrs=mail.to)

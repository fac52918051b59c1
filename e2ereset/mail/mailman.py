"""The way out through Flask-Mailman: to its relay encrypted or not at all, and in private files.

Addresses beyond ASCII are written as they are where the relay offers SMTPUTF8 (RFC 6531), and not
sent to where it does not: Flask-Mailman would write another address.
"""

import os
import smtplib
from email import message_from_bytes, policy
from email.utils import parseaddr
from typing import Any

from flask_mailman import EmailMultiAlternatives
from flask_mailman.backends import file, smtp

from e2ereset.files import private
from e2ereset.jobs import GiveUp

from .messages import Message, name_domain
from .smtp import Timed, TimedSSL

MAIL_TIMEOUT = 30
"""Seconds for each step of an SMTP dialogue, where the host sets no MAIL_TIMEOUT."""


class FileBackend(file.EmailBackend):  # type: ignore[misc]
    """The backend `file`, for its owner's eyes only; by itself it leaves the modes to the umask."""

    def __init__(self, *args: Any, **options: Any) -> None:
        folder = options.get("file_path") or options["mailman"].file_path
        os.makedirs(folder, mode=0o700, exist_ok=True)
        super().__init__(*args, **options)

    def open(self) -> bool:
        """Open the file of this connection. False when it is open."""
        if getattr(self, "stream", None):
            return False
        path = self._get_filename()
        self.stream = open(path, "ab", opener=private)  # noqa: SIM115 - `close` closes it
        return True


class RelayBackend(smtp.EmailBackend):  # type: ignore[misc]
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


# However MAIL_BACKEND spells them.
OURS = {smtp.EmailBackend: RelayBackend, file.EmailBackend: FileBackend}


def send_by_mailman(mailman: Any, message: Message) -> None:
    """Send it by this Flask-Mailman, in the app's context.

    Raises what the relay refuses, or that there is none.
    """
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.text,
        from_email=message.sender,
        to=[message.recipient],
        headers={"Message-ID": message.message_id, "Auto-Submitted": "auto-generated"},
        alternatives=[(message.html, "text/html")],
    )
    backend = mailman.import_backend(mailman.backend)
    timeout = mailman.timeout or MAIL_TIMEOUT
    # Opened here, since the SMTP backend leaves its own connection open on a failure.
    with mailman.get_connection(OURS.get(backend, backend), timeout=timeout) as connection:
        connection.send_messages([mail])

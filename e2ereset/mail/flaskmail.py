"""The way out through a host's Flask-Mail, in time and encrypted for its relay or not at all."""

import smtplib
from typing import Any

import flask_mail

from .messages import Message
from .smtp import Timed, TimedSSL

STEP_SECONDS = 30
"""For each step of the dialogue: Flask-Mail itself waits for ever."""


class Relay(flask_mail.Connection):
    """A connection as Flask-Mail makes it, within the time of a lease."""

    def configure_host(self) -> smtplib.SMTP:
        """Connect, encrypt and sign in."""
        state = self.mail
        kind = TimedSSL if state.use_ssl else Timed
        host = kind(state.server, state.port, timeout=STEP_SECONDS)
        try:
            if state.use_tls:
                host.starttls()
            if state.username and state.password:
                host.login(state.username, state.password)
        except BaseException:
            host.close()
            raise
        return host


def send_by_flask_mail(relay: Any, message: Message) -> None:
    """Send it by the app's Flask-Mail, in its context. Raises what the relay refuses.

    Where Flask-Mail suppresses sending, as it does under TESTING, only its signal is sent.
    """
    if not message.recipient.rpartition("@")[0].isascii():
        raise smtplib.SMTPNotSupportedError("Flask-Mail knows no SMTPUTF8")
    mail = flask_mail.Message(
        subject=message.subject,
        recipients=[message.recipient],
        sender=message.sender,
        body=message.text,
        html=message.html,
        extra_headers={"Auto-Submitted": "auto-generated"},
    )
    mail.msgId = message.message_id
    with Relay(relay) as connection:
        connection.send(mail)

"""The way out: sends messages through the app's Flask-Mailman, whatever backend it is set to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from e2ereset.errors import SettingsError

from .messages import Message

if TYPE_CHECKING:
    from flask import Flask

MAIL_TIMEOUT = 30
"""Seconds for each step of an SMTP dialogue, where the host sets no MAIL_TIMEOUT."""

BACKENDS = "smtp, file, console, locmem, dummy, or the dotted name of a class called EmailBackend"


def check_mail_backend(mailman: Any) -> None:
    """Raise SettingsError where this Flask-Mailman names no backend that can be imported."""
    from flask_mailman import Mail

    try:
        Mail().import_backend(mailman.backend)
    except (ImportError, AttributeError, ValueError):
        raise SettingsError(
            f"MAIL_BACKEND is {mailman.backend!r}, which is not there. Known: {BACKENDS}."
        ) from None


def mailman_send(app: Flask) -> Callable[[Message], None]:
    """A function that sends a message from any thread, and raises what the mail server refuses.

    The app needs `flask_mailman.Mail(app)`.
    """

    def send(message: Message) -> None:
        """Send it; raises what the mail server refuses, or that there is none."""
        # Imported by the first mail: a worker that sends none is spared the memory (0.5 MiB).
        from flask_mailman import EmailMultiAlternatives
        from flask_mailman.backends import file, smtp

        from .files import FileBackend
        from .smtp import Backend

        with app.app_context():
            mailman = app.extensions["mailman"]
            mail = EmailMultiAlternatives(
                subject=message.subject,
                body=message.text,
                from_email=message.sender,
                to=[message.recipient],
                headers={"Message-ID": message.message_id, "Auto-Submitted": "auto-generated"},
                alternatives=[(message.html, "text/html")],
            )
            timeout = mailman.timeout or MAIL_TIMEOUT
            # Opened here, since the SMTP backend leaves its own connection open on a failure.
            backend = mailman.import_backend(mailman.backend)
            # However MAIL_BACKEND spells it.
            ours = {smtp.EmailBackend: Backend, file.EmailBackend: FileBackend}
            backend = ours.get(backend, backend)
            with mailman.get_connection(backend, timeout=timeout) as connection:
                connection.send_messages([mail])

    return send

"""The way out: the host's own function, its Flask-Mail, or Flask-Mailman with any backend."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from e2ereset.errors import SettingsError

from .messages import Message

if TYPE_CHECKING:
    from flask import Flask

MAIL_TIMEOUT = 30
"""Seconds for each step of an SMTP dialogue, where the host sets no MAIL_TIMEOUT."""

BACKENDS = "smtp, file, console, locmem, dummy, or the dotted name of a class called EmailBackend"


log = logging.getLogger(__name__)


class Way:
    """How mails leave an app. Call it with a message, from any thread.

    By `given` where that is a function, else by the app's Flask-Mailman, else by its Flask-Mail,
    however late that comes, else by a Flask-Mailman of ours. It raises what keeps a mail here.
    """

    def __init__(self, app: Flask, given: Callable[[Message], Any] | None) -> None:
        self._app = app
        self._given = given
        self._mailman_of_host = "mailman" in app.extensions
        self._by_mailman = mailman_send(app)
        if self.name == "flask-mailman":
            self._have_mailman()

    @property
    def name(self) -> str:
        """`send`, `flask-mail` or `flask-mailman`."""
        if self._given is not None:
            return "send"
        mail = type(self._app.extensions.get("mail"))
        if not self._mailman_of_host and mail.__module__ == "flask_mail":
            return "flask-mail"
        return "flask-mailman"

    def __call__(self, message: Message) -> None:
        """Send it; raises what the mail server refuses, or that there is none."""
        if self.name == "flask-mailman":
            self._by_mailman(message)
            return
        with self._app.app_context():
            if self._given is not None:
                self._app.ensure_sync(self._given)(message)
                return
            from .flaskmail import send_by_flask_mail

            send_by_flask_mail(self._app, message)

    def _have_mailman(self) -> None:
        if not self._mailman_of_host:
            from flask_mailman import Mail

            Mail(self._app)
        mailman = self._app.extensions["mailman"]
        check_mail_backend(mailman)
        if not mailman.server and str(mailman.backend).endswith("smtp"):
            log.warning("MAIL_SERVER is empty: mails wait for seven days, then are given up.")


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

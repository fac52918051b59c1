"""The transport: the host's own function, its Flask-Mail, or Flask-Mailman with any backend."""

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask

from e2ereset.errors import SettingsError

from .messages import Message

BACKENDS = "smtp, file, console, locmem, dummy, or the dotted name of a class called EmailBackend"

log = logging.getLogger(__name__)


class Transport:
    """How mails leave an app. Call it with a message, from any thread.

    By `given` where that is a function, else by the app's Flask-Mailman, else by its Flask-Mail,
    however late that comes, else by a Flask-Mailman of ours. It raises what keeps a mail here.
    """

    def __init__(self, app: Flask, given: Callable[[Message], Any] | None) -> None:
        self._app = app
        self._given = given
        self._mailman_of_host = "mailman" in app.extensions
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
        # Imported by the first mail: a worker that sends none is spared the memory (0.5 MiB).
        with self._app.app_context():
            if self._given is not None:
                self._app.ensure_sync(self._given)(message)
            elif self.name == "flask-mail":
                from .flaskmail import send_by_flask_mail

                send_by_flask_mail(self._app.extensions["mail"], message)
            else:
                from .mailman import send_by_mailman

                send_by_mailman(self._app.extensions["mailman"], message)

    def _have_mailman(self) -> None:
        if not self._mailman_of_host:
            from flask_mailman import Mail

            Mail(self._app)
        mailman = self._app.extensions["mailman"]
        try:
            mailman.import_backend(mailman.backend)
        except (ImportError, AttributeError, ValueError):
            raise SettingsError(
                f"MAIL_BACKEND is {mailman.backend!r}, which is not there. Known: {BACKENDS}."
            ) from None
        if not mailman.server and str(mailman.backend).endswith("smtp"):
            log.warning("MAIL_SERVER is empty: mails wait for seven days, then are given up.")

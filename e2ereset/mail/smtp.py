"""Flask-Mailman's way to a relay, but encrypted for that relay or not at all, and in time."""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from threading import Timer
from typing import Any

from flask_mailman.backends.smtp import EmailBackend

MOST_SECONDS = 90.0
"""For one whole dialogue; shorter than a lease, so that no second deliverer takes the mail over.
MAIL_TIMEOUT is for each step, and begins anew with each byte of an answer."""


class Timed(smtplib.SMTP):
    """A connection that is shut after MOST_SECONDS, wherever its dialogue stands."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._end = Timer(MOST_SECONDS, self._hang_up)
        self._end.daemon = True
        self._end.start()
        super().__init__(*args, **options)

    def close(self) -> None:
        """Close it, in time or not."""
        self._end.cancel()
        super().close()

    def starttls(self, *_args: Any, **_options: Any) -> Any:
        """Encrypt. Raises ssl.SSLError when the certificate does not verify."""
        return super().starttls(context=ssl.create_default_context())

    def _hang_up(self) -> None:
        sock: socket.socket | None = self.sock
        with suppress(OSError, AttributeError):  # it has ended by itself
            sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]


class TimedSSL(Timed, smtplib.SMTP_SSL):
    """The same, encrypted from the start."""


class Backend(EmailBackend):  # type: ignore[misc]
    """The backend `smtp`; by itself it takes any certificate under MAIL_USE_TLS."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """What is connected with."""
        return TimedSSL if self.use_ssl else Timed

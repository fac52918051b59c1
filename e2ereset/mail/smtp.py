"""Connections to a relay: in time, and encrypted for that relay where they are encrypted."""

import smtplib
import socket
import ssl
from contextlib import suppress
from threading import Event, Thread
from typing import Any

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

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"context": ssl.create_default_context()} | options)

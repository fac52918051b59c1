"""Flask-Mailman's way to a relay, with its certificate checked after STARTTLS as well."""

from __future__ import annotations

import smtplib
import ssl
from typing import Any

from flask_mailman.backends.smtp import EmailBackend


class VerifyingSMTP(smtplib.SMTP):
    """A connection that is encrypted for the relay of that name, or not used."""

    def starttls(self, *_args: Any, **_options: Any) -> Any:
        """Encrypt. Raises ssl.SSLError when the certificate does not verify."""
        return super().starttls(context=ssl.create_default_context())


class VerifyingBackend(EmailBackend):  # type: ignore[misc]
    """The backend `smtp`; by itself it takes any certificate under MAIL_USE_TLS."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """What is connected with."""
        return smtplib.SMTP_SSL if self.use_ssl else VerifyingSMTP

"""The mail relay: a dialogue as far as the password, then QUIT. No mail is sent."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from .deployment import Relay, Subject, is_loopback
from .findings import Area, Check, Finding

AREA = Area("mail")


@AREA.check("relay", "The mail relay is not asked.")
def RELAY(subject: Subject) -> Iterator[Finding]:
    """Whether the relay answers, encrypts, shows a good certificate and takes the password."""
    relay = subject.relay
    if not subject.mail or relay.backend != "smtp" or not relay.server:
        return
    if relay.tls and relay.starttls:
        return
    try:
        with _connected(relay) as smtp:
            smtp.ehlo_or_helo_if_needed()
            yield from _dialogue(relay, smtp)
    except ssl.SSLError as error:
        yield _bad_certificate(relay, error)
    except (OSError, smtplib.SMTPException) as error:
        yield AREA.error(
            "relay-gone",
            f"The relay {relay.server}:{relay.port} does not answer as a"
            f" mail server does: {type(error).__name__}.",
            "MAIL_SERVER = '...'; MAIL_PORT = ...",
        )


def _dialogue(relay: Relay, smtp: smtplib.SMTP) -> Iterator[Finding]:
    offered = smtp.has_extn("starttls")
    if relay.starttls and not offered:
        yield AREA.error(
            "relay-without-starttls",
            "MAIL_USE_TLS is on and the relay offers no STARTTLS: no mail is sent.",
            "MAIL_USE_SSL = True; MAIL_USE_TLS = False; MAIL_PORT = 465",
        )
        return
    if relay.starttls:
        smtp.starttls(context=ssl.create_default_context())
    elif offered and not is_loopback(relay.server):
        yield AREA.note(
            "relay-starttls-unused",
            "The relay offers encryption, which is not used.",
            "MAIL_USE_SSL = True; MAIL_PORT = 465",
        )
    if relay.username and relay.password:
        yield from _sign_in(relay, smtp)
    yield AREA.ok("relay", f"The relay {relay.server}:{relay.port} answers.")


def _sign_in(relay: Relay, smtp: smtplib.SMTP) -> Iterator[Finding]:
    try:
        smtp.login(str(relay.username), str(relay.password))
    except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as error:
        yield AREA.error(
            "relay-refuses-sign-in",
            f"The relay does not take the user name and password: {type(error).__name__}.",
            "MAIL_USERNAME = '...'; MAIL_PASSWORD = '...'",
        )


def _bad_certificate(relay: Relay, error: ssl.SSLError) -> Finding:
    return AREA.error(
        "relay-certificate",
        f"The certificate of {relay.server} does not verify: {type(error).__name__}. No mail is"
        " sent.",
        "MAIL_SERVER = 'the name in its certificate', issued by an authority of this machine",
    )


@contextmanager
def _connected(relay: Relay) -> Iterator[smtplib.SMTP]:
    """A connection, encrypted from the start where the relay is set so; ended with QUIT."""
    if relay.tls:
        context = ssl.create_default_context()
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            relay.server, relay.port, timeout=relay.timeout, context=context
        )
    else:
        smtp = smtplib.SMTP(relay.server, relay.port, timeout=relay.timeout)
    with smtp:
        yield smtp


CHECKS: tuple[Check, ...] = (RELAY,)

"""The mail relay: a dialogue as far as the password, then QUIT. No mail is sent."""

import smtplib
import ssl
from collections.abc import Iterator

from .deployment import Deployment, Relay, is_loopback
from .findings import Finding, check, found


@check("mail", "relay", "The mail relay is not asked.")
def relay(app: Deployment) -> Iterator[Finding | str]:
    """Whether the relay answers, encrypts, shows a good certificate and accepts the password."""
    there = app.relay
    contradicts = there.tls and there.starttls
    if not app.mail or there.backend != "smtp" or not there.server or contradicts:
        return
    try:
        with _connect(there) as smtp:
            smtp.ehlo_or_helo_if_needed()
            yield from _dialogue(there, smtp)
    except ssl.SSLError as error:
        yield found("relay-certificate", server=there.server, fault=type(error).__name__)
    except (OSError, smtplib.SMTPException) as error:
        fault = type(error).__name__
        yield found("relay-gone", server=there.server, port=there.port, fault=fault)


def _dialogue(there: Relay, smtp: smtplib.SMTP) -> Iterator[Finding | str]:
    offered = smtp.has_extn("starttls")
    if there.starttls and not offered:
        yield found("relay-without-starttls")
        return
    if there.starttls:
        smtp.starttls(context=ssl.create_default_context())
    elif offered and not is_loopback(there.server):
        yield found("relay-starttls-unused")
    if there.username and there.password:
        try:
            smtp.login(there.username, there.password)
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as error:
            yield found("relay-refuses-sign-in", fault=type(error).__name__)
    yield f"The relay {there.server}:{there.port} answers."


def _connect(there: Relay) -> smtplib.SMTP:
    """A connection, encrypted from the start where the relay is set so."""
    if not there.tls:
        return smtplib.SMTP(there.server, there.port, timeout=there.timeout)
    context = ssl.create_default_context()
    return smtplib.SMTP_SSL(there.server, there.port, timeout=there.timeout, context=context)

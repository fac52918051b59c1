"""Settings that NIST SP 800-63B or OWASP ASVS want otherwise. Clients may need them as they are."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2

from e2ereset.factors.odds import most_in
from e2ereset.settings import Settings

from .deployment import Deployment
from .findings import Finding, Part, check
from .words import found

MOST_AN_HOUR = 100
"""Wrong tries at one account, of all its methods: OWASP ASVS 4.0, 2.2.1."""
MAIL_BITS = 20


@check("settings", "standards", "NIST and OWASP ASVS want no other setting.", Part.SETTINGS)
def standards(app: Deployment) -> Iterator[Finding]:
    """What the two standards say of the methods; nothing where no second factor is asked for."""
    settings = app.known
    if not settings.two_factor:
        return
    if "email" in settings.methods:
        yield from _mail(settings)
    if "password" in settings.methods and len(settings.methods) > 1:
        yield found("password-as-factor")
    if "totp" in settings.methods and settings.totp_window:
        yield found("totp-code-lives-long", seconds=30 * (2 * settings.totp_window + 1))
    kinds = len([name for name in settings.methods if name != "password"]) or 1
    tries = kinds * most_in(settings.verify_windows, 3600)
    if tries > MOST_AN_HOUR:
        yield found("tries-an-hour-many", tries=tries, most=MOST_AN_HOUR)


def _mail(settings: Settings) -> Iterator[Finding]:
    methods, digits = settings.methods, settings.email_code_digits
    yield found("email-as-factor")
    if "totp" in methods[methods.index("email") :]:
        yield found("email-before-totp")
    bits = log2(10**digits)
    if bits < MAIL_BITS:
        yield found("email-code-short", digits=digits, bits=f"{bits:.1f}")


CHECKS = (standards,)

"""Settings that NIST SP 800-63B or OWASP ASVS want otherwise. Clients may need them as they are."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2

from e2ereset.factors.odds import most_in
from e2ereset.settings import Settings

from .deployment import Subject
from .findings import Area, Check, Finding, Part

AREA = Area("settings")
MOST_AN_HOUR = 100
"""Wrong tries at one account, of all its methods: OWASP ASVS 4.0, 2.2.1."""
MAIL_BITS = 20


@AREA.check("standards", "NIST SP 800-63B and OWASP ASVS want no other setting.", Part.SETTINGS)
def STANDARDS(subject: Subject) -> Iterator[Finding]:
    """What the two standards say of the methods; nothing where no second factor is asked for."""
    settings = subject.known
    if not settings.two_factor:
        return
    if "email" in settings.methods:
        yield from _mail(settings)
    if "password" in settings.methods and len(settings.methods) > 1:
        yield AREA.note(
            "password-as-factor",
            "Callers without another method give their password twice: NIST counts one factor.",
            "Leave 'password' out of E2ERESET_METHODS",
        )
    if "totp" in settings.methods and settings.totp_window:
        life = 30 * (2 * settings.totp_window + 1)
        yield AREA.note(
            "totp-code-lives-long",
            f"A TOTP code is accepted for {life} s; ASVS wants 30.",
            "E2ERESET_TOTP_WINDOW = 0, where all clocks are right",
        )
    yield from _tries(settings)


def _mail(settings: Settings) -> Iterator[Finding]:
    methods, digits = settings.methods, settings.email_code_digits
    yield AREA.note(
        "email-as-factor",
        "Codes by e-mail are a second factor; NIST and ASVS level 3 take no e-mail for one.",
        "Leave 'email' out of E2ERESET_METHODS",
    )
    if "totp" in methods[methods.index("email") :]:
        yield AREA.note(
            "email-before-totp",
            "A code by e-mail is asked for before the stronger TOTP.",
            "E2ERESET_METHODS = ['totp', 'email', 'password']",
        )
    if log2(10**digits) < MAIL_BITS:
        yield AREA.note(
            "email-code-short",
            f"A mailed code of {digits} digits has {log2(10**digits):.1f} bits; NIST rev. 3 wants"
            f" {MAIL_BITS}.",
            "E2ERESET_EMAIL_CODE_DIGITS = 7",
        )


def _tries(settings: Settings) -> Iterator[Finding]:
    kinds = len([name for name in settings.methods if name != "password"]) or 1
    tries = kinds * most_in(settings.verify_windows, 3600)
    if tries > MOST_AN_HOUR:
        yield AREA.warning(
            "tries-an-hour-many",
            f"A guesser has {tries} tries in an hour at one account; ASVS wants {MOST_AN_HOUR}.",
            "E2ERESET_TRIES_PER_HOUR = 20",
        )


CHECKS: tuple[Check, ...] = (STANDARDS,)

"""NIST SP 800-63B, revision 3 (2017) and revision 4 (2025): the lines that concern us."""

from __future__ import annotations

from collections.abc import Callable
from math import log2

from e2ereset.factors.budgets import MOST_IN_A_ROW

from .lines import Facts, Line, Verdict, always, apart, broken, factor, met, of_method

REV_3, REV_4 = "NIST SP 800-63B rev. 3", "NIST SP 800-63B rev. 4"
NO_EMAIL = "Leave 'email' out of E2ERESET_METHODS"
NO_BYPASS = "E2ERESET_BYPASS_TOKENS = False"


def consecutive(_: Facts) -> Verdict:
    """A hundred wrong tries in a row, and no more until the owner proves who they are."""
    return met(
        f"{MOST_IN_A_ROW} wrong tries in a row, over whatever time, lock a method until its owner"
        " passes with another one, or it is unlocked. The owner is mailed."
    )


def mail_entropy(facts: Facts) -> Verdict:
    """Twenty bits for an out-of-band secret."""
    digits = facts.settings.email_code_digits
    bits = f"A mailed code of {digits} digits has {log2(10**digits):.1f} bits."
    return met(bits) if digits > 6 else broken(bits, "E2ERESET_EMAIL_CODE_DIGITS = 7")


def mail_life(facts: Facts) -> Verdict:
    """Ten minutes for an out-of-band secret."""
    return met(f"A mailed code lives {facts.settings.email_code_seconds} s.")


def totp_life(facts: Facts) -> Verdict:
    """A life that drift, the network and typing define; a new code every two minutes."""
    steps = facts.settings.totp_window
    return met(f"A code lives 30 s and is taken {steps} steps to either side.")


def password_only(facts: Facts) -> Verdict:
    """Two factors that differ in kind."""
    if facts.settings.without_method == "allow":
        return broken(
            "Callers without a method pass on their sign-in alone.",
            "E2ERESET_WITHOUT_METHOD = 'refuse'",
        )
    if facts.settings.bypass_tokens:
        return broken("Personal tokens may skip the proof.", NO_BYPASS)
    if "password" in facts.methods:
        return broken(
            "Callers without another method prove the password once more, which is no second kind.",
            "Leave 'password' out of E2ERESET_METHODS",
        )
    return met("A sign-in, and one of " + ", ".join(facts.methods) + ".")


def passwords(wanted: int) -> Callable[[Facts], Verdict]:
    """The least length, where whoever has no second factor signs in by password alone."""

    def judged(facts: Facts) -> Verdict:
        shortest = facts.shortest_password
        if shortest is None:
            return HOST(facts)
        by = f"{shortest} characters or more, and none of the commonest, when one is set."
        if shortest >= wanted:
            return met(by)
        return broken(by, f"E2ERESET_SERVER_SHORTEST_PASSWORD = {wanted}")

    return judged


def _both(
    third: str, fourth: str, words: str, judge: Callable[[Facts], Verdict]
) -> tuple[Line, Line]:
    return (
        Line(standard=REV_3, id=third, words=words, judge=judge),
        Line(standard=REV_4, id=fourth, words=words, judge=judge),
    )


def _look_up(verdict: Verdict) -> Callable[[Facts], Verdict]:
    return of_method("totp", always(verdict))


CODES = "Backup codes have 8 of 31 characters, 39.6 bits."
WEAK_HASH = broken(f"{CODES} They are stored as keyed digests, without a slow hash.")
OOB = always(broken("`email` mails codes as a second factor.", NO_EMAIL))
HOST = always(apart("Whoever signs callers in decides that, not e2ereset."))

LINES: tuple[Line, ...] = (
    *_both(
        "5.2.2", "3.2.2", "At most 100 wrong tries in a row on an account.", factor(consecutive)
    ),
    *_both(
        "5.1.3.1", "3.1.3.1", "E-mail is no out-of-band authenticator.", of_method("email", OOB)
    ),
    *_both(
        "5.1.3.2",
        "3.1.3.2",
        "An out-of-band secret dies after 10 minutes.",
        of_method("email", mail_life),
    ),
    *_both(
        "5.1.3.2",
        "3.1.3.2",
        "An out-of-band secret is taken once.",
        of_method("email", always(met("One conditional statement burns the code."))),
    ),
    Line(
        standard=REV_3,
        id="5.1.3.2",
        words="An out-of-band secret has 20 bits or more.",
        judge=of_method("email", mail_entropy),
    ),
    Line(
        standard=REV_4,
        id="3.1.3.2",
        words="An out-of-band secret has six digits or more.",
        judge=of_method("email", lambda f: met(f"{f.settings.email_code_digits} digits.")),
    ),
    *_both(
        "5.1.2.2",
        "3.1.2.2",
        "Look-up secrets have 20 bits or more, and are taken once.",
        _look_up(met(f"{CODES} One conditional statement burns one.")),
    ),
    *_both(
        "5.1.2.2",
        "3.1.2.2",
        "Look-up secrets below 112 bits are hashed slowly, with a salt.",
        _look_up(WEAK_HASH),
    ),
    *_both(
        "5.1.2.2",
        "3.1.2.2",
        "Tries at look-up secrets below 64 bits are limited.",
        _look_up(met("They share the budget of `totp`.")),
    ),
    *_both(
        "5.1.4.1",
        "3.1.4.1",
        "OTP keys have 112 bits or more, codes six digits or more.",
        of_method("totp", always(met("Keys of 160 bits, codes of 6 digits."))),
    ),
    *_both(
        "5.1.4.2",
        "3.1.4.2",
        "OTP keys are strongly protected where they are stored.",
        of_method("totp", always(met("AES-256-GCM, under a key that is not in the database."))),
    ),
    *_both(
        "5.1.4.2",
        "3.1.4.2",
        "A time-based code is taken once, and its life is defined.",
        of_method("totp", totp_life),
    ),
    *_both(
        "5.2.8",
        "3.2.7",
        "A recorded code is worth nothing.",
        factor(always(met("Codes are burnt, and a TOTP step never passes after a later one."))),
    ),
    *_both(
        "5.1.1.2",
        "3.1.1.2",
        "Tries at passwords are limited.",
        of_method("password", always(met("The budget of `password`."))),
    ),
    Line(
        standard=REV_3,
        id="5.1.1.2",
        words="Passwords have 8 characters or more, and are no common ones.",
        judge=passwords(8),
    ),
    Line(
        standard=REV_4,
        id="3.1.1.2",
        words="Passwords that may be the only factor have 15 characters or more, and are no common"
        " ones.",
        judge=passwords(15),
    ),
    *_both("4.2.1", "2.2.1", "Two different kinds of factors (AAL2).", factor(password_only)),
    *_both("4.2.3", "2.2.3", "Sessions end: 12 h (rev. 4: 24 h), and sooner when idle.", HOST),
    *_both(
        "6.1.2.1",
        "4.1.2.1",
        "A new factor is told to its owner.",
        factor(always(met("A mail to all verified addresses."))),
    ),
    Line(
        standard=REV_4,
        id="4.2.3",
        words="Every recovery is told to its owner.",
        judge=always(met("A mail to all verified addresses after every reset, own ones too.")),
    ),
    Line(
        standard=REV_4,
        id="4.2.1.1",
        words="Saved recovery codes have 64 bits or more.",
        judge=always(apart("Backup codes stand in for TOTP; they recover no account.")),
    ),
)

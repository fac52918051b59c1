"""OWASP ASVS 5.0, and what only 4.0 asks for: the lines that concern us."""

from __future__ import annotations

from collections.abc import Callable

from e2ereset.factors.odds import most_in

from .lines import Facts, Line, Verdict, always, apart, broken, factor, met, of_method
from .nist import CODES, NO_BYPASS, NO_EMAIL, WEAK_HASH

ASVS_5, ASVS_4 = "OWASP ASVS 5.0", "OWASP ASVS 4.0"


def one_strength(facts: Facts) -> Verdict:
    """No way in that is weaker than the others."""
    if facts.settings.without_method == "allow":
        return broken("Callers without a method pass.", "E2ERESET_WITHOUT_METHOD = 'refuse'")
    if facts.settings.bypass_tokens:
        return broken("Personal tokens may skip the proof.", NO_BYPASS)
    return met("Every caller proves a factor, whatever they are signed in with.")


def no_mail(facts: Facts) -> Verdict:
    """E-mail is no factor."""
    if "email" in facts.methods:
        return broken("`email` mails codes as a second factor.", NO_EMAIL)
    return met("`email` is not in use.")


def totp_30_seconds(facts: Facts) -> Verdict:
    """A TOTP lives thirty seconds."""
    window = facts.settings.totp_window
    life = 30 * (2 * window + 1)
    words = f"A TOTP code is taken for {life} s."
    return broken(words, "E2ERESET_TOTP_WINDOW = 0") if window else met(words)


def limited(facts: Facts) -> Verdict:
    """Tries at mailed codes are limited."""
    settings = facts.settings
    return met(
        f"{settings.email_code_tries} tries a code, {settings.sends_per_day} codes and"
        f" {settings.tries_per_day} tries a day."
    )


def step_up(facts: Facts) -> Verdict:
    """A proof before what is highly sensitive."""
    if not facts.settings.two_factor:
        return broken("Resets ask for no proof.", "E2ERESET_TWO_FACTOR = True")
    return one_strength(facts)


def strongest_first(facts: Facts) -> Verdict:
    """Weak factors are the second choice."""
    if "email" not in facts.methods:
        return met("`email` is not in use.")
    if "totp" in facts.methods and facts.methods.index("totp") < facts.methods.index("email"):
        return met("`totp` is asked for before `email`.")
    return broken("`email` is asked for first.", "E2ERESET_METHODS = ['totp', 'email', 'password']")


def hundred_an_hour(facts: Facts) -> Verdict:
    """A hundred wrong tries an hour, over all methods that one account can have at once."""
    kinds = len([name for name in facts.methods if name != "password"]) or 1
    tries = kinds * most_in(facts.settings.verify_windows, 3600)
    words = f"{tries} tries in any hour at {kinds} methods of one account."
    return met(words) if tries <= 100 else broken(words, "E2ERESET_TRIES_PER_HOUR = 20")


def _line(id: str, level: int, words: str, judge: Callable[[Facts], Verdict]) -> Line:
    return Line(standard=ASVS_5, id=id, level=level, words=words, judge=judge)


def _extra(id: str, level: int, words: str, judge: Callable[[Facts], Verdict]) -> Line:
    return Line(standard=ASVS_4, id=id, level=level, words=words, judge=judge)


def _met(by: str) -> Callable[[Facts], Verdict]:
    return always(met(by))


LINES: tuple[Line, ...] = (
    _line("2.3.3", 2, "All of a transaction, or nothing.", _met("A reset is one transaction.")),
    _line("2.3.4", 2, "What is limited is locked.", _met("Conditional statements, row by row.")),
    _line(
        "2.3.5",
        3,
        "Two people approve what is of high value.",
        always(broken("One caller's proof resets a key.")),
    ),
    _line(
        "6.1.1",
        1,
        "Limits, and what they cost the owner, are written down.",
        _met("`e2ereset limits` and docs/settings.md."),
    ),
    _line(
        "6.3.1",
        1,
        "Guessing is limited as written down.",
        factor(_met("Budgets per user and method, counted before the code is looked at.")),
    ),
    _line("6.3.4", 2, "No way in is weaker than the others.", factor(one_strength)),
    _line(
        "6.3.5",
        3,
        "Suspicious tries are told to the owner, half right ones too.",
        factor(
            always(
                broken(
                    "Spent budgets, replays and used backup codes are mailed; one wrong"
                    " code behind a right password is not."
                )
            )
        ),
    ),
    _line("6.3.6", 3, "E-mail is no factor.", factor(no_mail)),
    _line(
        "6.3.7",
        3,
        "Changes of credentials are told to the owner.",
        _met("A mail to all verified addresses."),
    ),
    _line(
        "6.3.8",
        3,
        "Nobody learns who exists.",
        _met("The permission comes before the target is looked up."),
    ),
    _line(
        "6.4.6",
        3,
        "An administrator starts a reset and chooses no secret.",
        _met("The server never sees the new key's password."),
    ),
    _line("6.5.1", 2, "Codes of all kinds are taken once.", factor(_met("They are burnt."))),
    _line(
        "6.5.2",
        2,
        "Look-up secrets below 112 bits are under a password hash with a salt.",
        of_method("totp", always(WEAK_HASH)),
    ),
    _line("6.5.3", 2, "Codes and seeds come from a CSPRNG.", factor(_met("Python's `secrets`."))),
    _line(
        "6.5.4",
        2,
        "Codes have 20 bits, or 6 digits.",
        factor(lambda f: met(f"{f.settings.email_code_digits} digits by mail. {CODES}")),
    ),
    _line(
        "6.5.5",
        2,
        "Mailed codes live 10 minutes at most.",
        of_method("email", lambda f: met(f"{f.settings.email_code_seconds} s.")),
    ),
    _line("6.5.5", 2, "A TOTP lives 30 seconds at most.", of_method("totp", totp_30_seconds)),
    _line("6.5.6", 3, "A factor can be revoked.", _met("It can be disabled, at once.")),
    _line(
        "6.5.8", 3, "Time is the server's own.", of_method("totp", _met("No client names a time."))
    ),
    _line(
        "6.6.2",
        2,
        "A mailed code is bound to its request.",
        of_method("email", _met("To the user, the action and its target.")),
    ),
    _line("6.6.3", 2, "Tries at mailed codes are limited.", of_method("email", limited)),
    _line(
        "6.6.4",
        3,
        "Push messages can not be used to wear somebody down.",
        always(apart("There are none.")),
    ),
    _line(
        "7.4.3",
        2,
        "Other sessions end after a change of factors.",
        always(apart("Whoever signs callers in decides that; a reset ends all of them.")),
    ),
    _line("7.5.3", 3, "What is highly sensitive needs a proof of its own.", step_up),
    _line(
        "8.3.2",
        3,
        "A change of permissions holds at once.",
        _met("The table is read on every request that needs it."),
    ),
    _line(
        "11.2.4",
        3,
        "Secrets are compared in constant time.",
        _met("`hmac.compare_digest`, or a keyed digest looked up."),
    ),
    _line(
        "16.3.1",
        2,
        "Every proof that is tried is logged, with its kind.",
        _met("An audit row with the method."),
    ),
    _line("16.4.2", 2, "Logs can not be changed unnoticed.", _met("`e2ereset audit verify`.")),
    _line("16.5.3", 2, "A fault refuses.", _met("A budget that can not be counted refuses.")),
    _extra(
        "2.2.1",
        1,
        "No more than 100 wrong tries an hour on an account.",
        factor(hundred_an_hour),
    ),
    _extra(
        "2.2.2", 1, "Weak factors such as e-mail are the second choice.", factor(strongest_first)
    ),
    _extra(
        "2.7.5",
        2,
        "Of a mailed code only a hash is kept.",
        of_method("email", _met("A keyed digest; the queued mail is sealed.")),
    ),
    _extra(
        "2.8.2",
        2,
        "Seeds are in an HSM or the like.",
        of_method("totp", always(broken("They are in the database, encrypted."))),
    ),
    _extra(
        "2.8.5",
        2,
        "A TOTP used twice is refused and logged, and its holder is told.",
        of_method("totp", _met("A spent step is refused and audited, and its owner is mailed.")),
    ),
    _extra(
        "2.8.6",
        2,
        "A revoked seed is dead in all sessions.",
        of_method("totp", _met("It is read for every try.")),
    ),
)

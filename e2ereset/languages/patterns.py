"""Texts that the code makes with a name or a number in them, for who reads another language.

They are stored and mailed in English. So the translation finds the pattern that made them.
"""

import re
from functools import cache

from .words import N_

PATTERNS = (
    # What a proof is for: they complete "to ...".
    N_("reset the E2E key of %(name)s"),
    N_("replace the E2E key of %(name)s"),
    N_("lift the hold on resets of %(name)s"),
    N_("unlock the second factors of %(name)s"),
    N_("set up an authenticator app for %(name)s"),
    N_("switch off the authenticator app of %(name)s"),
    N_("make new backup codes for %(name)s"),
    N_("reset the authenticator app of %(name)s"),
    N_("switch on codes by e-mail for %(name)s"),
    N_("switch off codes by e-mail for %(name)s"),
    N_("add a passkey to the account of %(name)s"),
    N_("rename a passkey of %(name)s"),
    N_("remove a passkey of %(name)s"),
    N_("sign in as %(name)s"),
    N_("start a room anew with a new key"),
    N_("change the account of %(name)s"),
    N_("change the address or the password of %(name)s"),
    N_("give the role %(role)s to %(name)s"),
    N_("take the role %(role)s from %(name)s"),
    N_("give the permission %(permission)s to the role %(role)s"),
    N_("take the permission %(permission)s from the role %(role)s"),
    N_("make a personal access token"),
    N_("make a personal access token that skips the second factor"),
    N_("regenerate a personal access token"),
    N_("remove a personal access token"),
    # Who changed something, in a mail to the owner.
    N_("an operator of the server (%(name)s)"),
    # What was changed.
    N_("The authenticator app was switched on"),
    N_("The authenticator app was switched off"),
    N_("New backup codes were made"),
    N_("Codes by e-mail were switched on"),
    N_("Codes by e-mail were switched off"),
    N_("A passkey was added"),
    N_("A passkey was removed"),
    N_("All your passkeys were removed"),
    N_("It was unlocked, after too many wrong tries"),
    N_("All your sign-ins and personal access tokens were ended"),
    N_("All your sign-ins but the one in use were ended"),
    N_("All your sign-ins and personal access tokens but the one in use were ended"),
    N_("A sign-in was ended"),
    # Of two that fit, the first is taken.
    N_("A sign-in that skips the second factor was made for you"),
    N_("A sign-in was made for you"),
    N_("A personal access token (%(name)s) that skips the second factor was made for you"),
    N_("A personal access token (%(name)s) was made for you"),
    N_("The personal access token %(name)s that skips the second factor was made"),
    N_("The personal access token %(name)s was made anew; the old one has ended"),
    N_("The personal access token %(name)s was made"),
    N_("The personal access token %(name)s was ended"),
    N_(
        "A token for machines (%(name)s) was made, which skips the second factor: %(what)s"
        " for %(whose)s, from %(where)s, %(count)s a day"
    ),
    N_("The token for machines (%(name)s) was ended"),
    N_("A new password was set, and all your sign-ins were ended"),
    N_("Your password was changed, and all other sign-ins were ended"),
    N_("Resets of your E2E key are held for 72 hours"),
    N_("Resets of your E2E key are not held any more"),
    N_("The account %(name)s was made for you"),
    N_("Your username was changed from %(old)s to %(new)s"),
    N_("Your e-mail address was added: %(address)s"),
    N_("Your e-mail address was changed: %(address)s"),
    N_("Your e-mail address was removed: %(address)s"),
    N_("Your e-mail address is verified: %(address)s"),
    N_("Your e-mail address is not verified any more: %(address)s"),
    N_("Your profile was changed"),
    N_("Your account was enabled"),
    N_("Your account was disabled"),
    N_("Your account was deleted"),
    N_("You got roles: %(new)s. You lost roles: %(gone)s"),
    N_("You got roles: %(new)s"),
    N_("You lost roles: %(gone)s"),
)


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", pattern)
    named = [f"(?P<{part}>.+)" if n % 2 else re.escape(part) for n, part in enumerate(parts)]
    return re.compile("".join(named))


@cache
def _expressions() -> list[tuple[str, re.Pattern[str]]]:
    """Made when the first text is told: most processes tell none."""
    return [(pattern, _expression(pattern)) for pattern in PATTERNS]


def pattern_of(text: str) -> tuple[str, dict[str, str]]:
    """The pattern that made the text, and what stands in it; the text itself where none did."""
    for pattern, expression in _expressions():
        if found := expression.fullmatch(text):
            return pattern, found.groupdict()
    return text, {}

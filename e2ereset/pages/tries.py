"""The field of a code on a page, and what the page says of a code that was not right."""

from marshmallow.validate import Length

from e2ereset.errors import FactorInvalid, InvalidParams, Refusal, TooManyAttempts
from e2ereset.http import Text
from e2ereset.languages.words import N_

from .site import Form, Site


class CodeForm(Form):
    """A code of the app, or a backup code."""

    code = Text(required=True, validate=Length(min=1, max=100))


CODE = CodeForm()
WRONG = {
    "totp": FactorInvalid.plain,
    "email": N_("This code is not right. Look at it again, or have another one mailed."),
    "passkey": N_("The passkey was not accepted. Try again."),
    "password": N_("This password is not right. Type it again."),
}
"""What is said of a wrong code of each method."""


def wrong_code(site: Site, refusal: Refusal | None = None) -> str:
    """The sentence for the reader. Without a refusal the code was wrong."""
    t = site.translate
    if isinstance(refusal, InvalidParams):
        return t("Type the code.")
    if refusal and refusal.details.get("codeReused"):
        return t("This code was used already. Wait for the next one.")
    if not isinstance(refusal, TooManyAttempts):
        return t(WRONG.get(refusal.details.get("method", "") if refusal else "", WRONG["totp"]))
    if refusal.retry_after is None:
        return t(
            "Too many tries. This way is locked until an administrator unlocks it, or you prove"
            " yourself in another way."
        )
    return " ".join((t("Too many tries."), site.words().wait(refusal.retry_after)))

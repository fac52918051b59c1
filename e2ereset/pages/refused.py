"""What a page says of a refusal, or of an error of HTTP, in its reader's language."""

from e2ereset.errors import InvalidParams, Refusal, TooManyRequests
from e2ereset.languages import Words
from e2ereset.languages.words import N_

GONE = N_("A part that this needs does not answer. Nothing was done. Try again in a moment.")
BROKEN = N_(
    "Something went wrong here. Look first whether it was done, then try again in a moment."
)
OF_STATUS = {
    403: N_("You may not do this."),
    404: N_("There is nothing at this address."),
    413: N_("What you sent is too long."),
    414: N_("The address is too long."),
    429: TooManyRequests.plain,
}
"""By status, what a page says of errors that are no refusals: of others, that a form is wrong."""


def told(words: Words, refusal: Refusal) -> str:
    """The sentences for people, with when to try again where waiting helps."""
    text = words(refusal.plain or refusal.words)
    wait: int | None = getattr(refusal, "retry_after", None)
    return text if wait is None else f"{text} {words.wait(wait)}"


def told_of(words: Words, status: int) -> str:
    """The same of an error of HTTP with this status."""
    return words(OF_STATUS.get(status, BROKEN if status >= 500 else InvalidParams.plain))

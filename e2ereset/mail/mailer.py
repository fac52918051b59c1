"""The handler of every kind of mail: renders the facts of a job, and sends the message."""

from collections.abc import Callable, Mapping
from email.utils import parseaddr
from hashlib import sha256
from typing import Any

from e2ereset.jobs import Handler
from e2ereset.jobs.leases import Leased
from e2ereset.languages import Words

from .messages import KINDS, Letterhead, Message, name_domain, render

ID_LENGTH = 32


class Mailer:
    """Sends the mails of one workspace, by `send`. Call it as the handler of a job.

    `words_of` gives the words that the account of an id reads; its id is empty if it is not known.
    """

    def __init__(
        self,
        send: Callable[[Message], None],
        *,
        sender: str,
        letterhead: Letterhead,
        words_of: Callable[[str], Words],
    ) -> None:
        self.send = send
        self._sender = sender
        self._domain = name_domain(parseaddr(sender)[1]).rpartition("@")[2] or "localhost"
        self._letterhead = letterhead
        self._words_of = words_of

    def handlers(self) -> dict[str, Handler]:
        """Itself, by each kind of mail."""
        return dict.fromkeys(KINDS, self)

    def __call__(self, facts: Mapping[str, Any], job: Leased, now: int) -> None:
        """Send the mail. Raises what keeps it here, GiveUp where no later try would help."""
        words = self._words_of(facts.get("account", ""))
        subject, text, html = render(
            job.kind, facts, now=now, words=words, letterhead=self._letterhead
        )
        # Made without a secret key, so that it stays the same when the keys change.
        digest = sha256(f"{job.id} {job.created_at} {job.recipient}".encode()).hexdigest()
        message = Message(
            sender=self._sender,
            recipient=job.recipient,
            subject=subject,
            text=text,
            html=html,
            message_id=f"<{digest[:ID_LENGTH]}@{self._domain}>",
        )
        self.send(message)

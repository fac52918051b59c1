"""The handler of every kind of mail: renders the facts of a job, and sends the message."""

from collections.abc import Callable, Mapping
from email.utils import parseaddr
from hashlib import sha256
from typing import Any

from e2ereset.jobs import Handler
from e2ereset.jobs.leases import Leased

from .messages import KINDS, Message, name_domain, render

ID_LENGTH = 32


class Mailer:
    """Sends the mails of one workspace, by `send`. Call it as the handler of a job."""

    def __init__(self, send: Callable[[Message], None], *, sender: str, workspace: str) -> None:
        self.send = send
        self._sender = sender
        self._domain = name_domain(parseaddr(sender)[1]).rpartition("@")[2] or "localhost"
        self._workspace = workspace

    def handlers(self) -> dict[str, Handler]:
        """Itself, by each kind of mail."""
        return dict.fromkeys(KINDS, self)

    def __call__(self, facts: Mapping[str, Any], job: Leased, now: int) -> None:
        """Send the mail. Raises what keeps it here, GiveUp where no later try would help."""
        subject, text, html = render(job.kind, facts, now=now, workspace=self._workspace)
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

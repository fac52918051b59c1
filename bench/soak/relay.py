"""The mail relay: keeps what arrives, and can be gone for a while."""

from __future__ import annotations

import logging
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

from tests.kit.network import free_port

KINDS = {
    "Your E2E key was reset": "notice",
    "A reset of your E2E key was asked for": "notice",
    "Your code to": "code",
}
CODE = re.compile(r"\b\d{3}-\d{3}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A mail that came; `kind` is notice, code or other. `at` is in epoch seconds."""

    at: float
    recipient: str
    message_id: str
    kind: str
    code: str | None = field(default=None, repr=False)


class Relay:
    """An SMTP server at one address and port, however often it stops and starts."""

    def __init__(self, address: str) -> None:
        self.address, self.port = address, free_port()
        self._arrived: dict[str, list[Arrival]] = defaultdict(list)
        self._controller: Controller | None = None
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's: a line for each step

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Keep one mail."""
        arrival = _read(envelope.content)
        self._arrived[arrival.recipient].append(arrival)
        return "250 OK"

    def start(self) -> None:
        """Take mail."""
        self._controller = Controller(self, self.address, self.port)
        self._controller.start()

    def stop(self) -> None:
        """Refuse every connection."""
        if self._controller is not None:
            controller, self._controller = self._controller, None
            controller.stop()
            controller.loop.close()

    def to(self, recipient: str) -> list[Arrival]:
        """What has come for this address, oldest first."""
        return list(self._arrived.get(recipient, ()))

    def all(self) -> list[Arrival]:
        """All that has come."""
        return [arrival for mails in list(self._arrived.values()) for arrival in list(mails)]


def _read(content: bytes) -> Arrival:
    mail = message_from_bytes(content, policy=default)
    kind = next((k for words, k in KINDS.items() if mail["Subject"].startswith(words)), "other")
    code = None
    if kind == "code":
        body = mail.get_body(("plain",))
        found = CODE.search(body.get_content()) if body else None
        code = found and found[0]
    return Arrival(
        at=time.time(),
        recipient=mail["To"],
        message_id=mail["Message-ID"],
        kind=kind,
        code=code,
    )

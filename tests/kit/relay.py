"""A mail relay that keeps what it gets, and can be gone for a while."""

import logging
import re
import time
from collections import defaultdict
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller

from tests.kit.network import free_port, wait_for

CODE = re.compile(r"\b\d{3}-\d{3}\b")
logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's: a line for each step


@dataclass(frozen=True)
class Arrival:
    """A mail that came, when (epoch seconds), and the addresses of its envelope."""

    at: float
    mail: EmailMessage
    envelope: tuple

    @property
    def code(self):
        """The code in it, if it is one that brings one."""
        body = self.mail.get_body(("plain",))
        found = "code" in self.mail["Subject"] and CODE.search(body.get_content())
        return found[0] if found else None


class Relay:
    """One address and port, however often it starts and stops; `refuses` is said to every mail."""

    def __init__(self, address="127.0.0.1", **options):
        self.address, self.port, self._options = address, free_port(), options
        self.arrivals, self._by_recipient = [], defaultdict(list)
        self.refuses, self._controller = None, None

    async def handle_DATA(self, server, session, envelope):
        if self.refuses:
            return self.refuses
        mail = message_from_bytes(envelope.content, policy=default)
        addresses = (envelope.mail_from, *envelope.rcpt_tos)
        arrival = Arrival(time.time(), mail, addresses)
        self.arrivals.append(arrival)
        self._by_recipient[mail["To"]].append(arrival)
        return "250 OK"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self._controller = Controller(self, self.address, self.port, **self._options)
        self._controller.start()

    def stop(self):
        """Refuse every connection."""
        if self._controller is not None:
            controller, self._controller = self._controller, None
            controller.stop()
            controller.loop.close()

    @property
    def mails(self):
        return [arrival.mail for arrival in self.arrivals]

    @property
    def envelopes(self):
        return [arrival.envelope for arrival in self.arrivals]

    def newest_code(self, address, since=0.0):
        """The code that came last for this address; None where none came since then."""
        came = reversed(list(self._by_recipient.get(address, ())))
        return next((a.code for a in came if a.at >= since and a.code), None)

    def code_for(self, address):
        """The newest code for this address, once one is here."""
        return wait_for(lambda: self.newest_code(address), f"a code for {address}")

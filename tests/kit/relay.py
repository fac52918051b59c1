"""A real SMTP server that keeps the mails it gets."""

import socket
from email import message_from_bytes
from email.policy import default

from aiosmtpd.controller import Controller


class SmtpServer(Controller):
    """Keeps the mails it gets. Its port refuses connections until it is started."""

    def __init__(self, **options):
        self.mails, self.envelopes, self.refuses = [], [], False
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        super().__init__(self, "127.0.0.1", self.socket.getsockname()[1], **options)

    def _create_server(self):
        return self.loop.create_server(self._factory_invoker, sock=self.socket)

    async def handle_DATA(self, server, session, envelope):
        if self.refuses:
            return "554 123-456 is not for bob@example.org"
        self.envelopes.append((envelope.mail_from, *envelope.rcpt_tos))
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def close(self):
        if self._thread:
            self.stop()
        self.loop.close()
        self.socket.close()

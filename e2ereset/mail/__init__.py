"""Mail: the words of each kind, and the transport. Each mail is a job of the queue."""

from .mailer import Mailer
from .messages import Message
from .transport import Transport

__all__ = ["Mailer", "Message", "Transport"]

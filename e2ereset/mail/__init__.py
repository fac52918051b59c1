"""Mail: the words of each kind, and the transport. Each mail is a job of the queue."""

from .mailer import Mailer
from .messages import Letterhead, Message, make_templates
from .transport import Transport

__all__ = ["Letterhead", "Mailer", "Message", "Transport", "make_templates"]

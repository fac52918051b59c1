"""Mail: the words of each kind, and the way out. Each mail is a job of the queue."""

from .mailer import Mailer
from .messages import Message
from .transport import Way

__all__ = ["Mailer", "Message", "Way"]

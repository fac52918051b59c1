"""Mail: an outbox in the database, its delivery under leases, and the words."""

from .delivery import Deliverer
from .messages import Message
from .outbox import Outbox, tail
from .transport import Way

__all__ = ["Deliverer", "Message", "Outbox", "Way", "tail"]

"""Mail: an outbox in the database, its delivery under leases, and the words."""

from e2ereset.jobs.queue import Outbox, tail
from e2ereset.jobs.worker import Deliverer

from .messages import Message
from .transport import Way

__all__ = ["Deliverer", "Message", "Outbox", "Way", "tail"]

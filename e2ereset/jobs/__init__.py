"""A durable queue: a transaction puts jobs in, and a worker does them after its commit."""

from .queue import IDLE, NOBODY, NORMAL, URGENT, Queue
from .worker import GiveUp, Handler, Worker

__all__ = ["IDLE", "NOBODY", "NORMAL", "URGENT", "GiveUp", "Handler", "Queue", "Worker"]

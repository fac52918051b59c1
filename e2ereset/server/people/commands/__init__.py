"""`user ...`: the commands by which an operator looks after users."""

from . import accounts, factors, users  # noqa: F401 - they fill `user`
from .base import user

__all__ = ["user"]

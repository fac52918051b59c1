"""The role-permission table. A host's migration calls `seed`."""

from .service import seed

__all__ = ["seed"]

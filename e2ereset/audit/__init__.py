"""The audit log: rows that never wait, a sealer that puts them in order, and the check of both."""

from .rows import AuditLog, Entry, tail
from .sealer import AuditBroken, Sealer
from .verify import Finding, verify

__all__ = ["AuditBroken", "AuditLog", "Entry", "Finding", "Sealer", "tail", "verify"]

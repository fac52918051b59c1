"""The soak: two hosts, one database, mixed traffic and outages; then the databases are checked."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]

"""The soak: two hosts, one database, mixed traffic and outages; then the databases are checked."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The test suite's PostgreSQL and its patience serve here too.
sys.path.append(str(ROOT / "tests"))

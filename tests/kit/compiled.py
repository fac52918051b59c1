"""Every test has engines of its own, whose statements SQLAlchemy would compile anew: half its time.

So all engines of a run share what was compiled, and the dialects of a kind count as one.
"""

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache


def share_compiled():
    """From now on; there is no public way."""
    compiled = LRUCache(4000)
    Engine._compiled_cache = property(lambda _: compiled, lambda *_: None)
    for kind in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        kind.__hash__ = lambda dialect: hash(type(dialect))
        kind.__eq__ = lambda dialect, other: type(dialect) is type(other)

"""Every test has an app and engines of its own. What their libraries compile is shared in a run.

SQLAlchemy would compile each statement anew, and werkzeug each rule of the URL map: most of the
time of a test. So the dialects of a kind count as one, and rules of the same text.
"""

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule


def share_compiled():
    """From now on; there is no public way."""
    share_rules()
    compiled = LRUCache(4000)
    Engine._compiled_cache = property(lambda _: compiled, lambda *_: None)
    for kind in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        kind.__hash__ = lambda dialect: hash(type(dialect))
        kind.__eq__ = lambda dialect, other: type(dialect) is type(other)


def share_rules():
    compile_builder, compiled = Rule._compile_builder, {}

    def compile_once(rule, append_unknown=True):
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        key = (*rule._trace, append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    Rule._compile_builder = compile_once

"""Which tables the statements of a block read in whole, as SQLite plans them."""

from contextlib import contextmanager

from sqlalchemy import event

PARTIAL = {"ix_e2ereset_audit_others"}
"""Indexes that have a few of the rows."""


@contextmanager
def read_in_whole(engine):
    """The names of those tables, which are there after the block."""
    found = set()

    def look(connection, _cursor, statement, sent, _context, many):
        driver = connection.connection.driver_connection
        plan = driver.execute(f"EXPLAIN QUERY PLAN {statement}", sent[0] if many else sent)
        steps = [step.split() for *_, step in plan]
        whole = (step for step in steps if step[0] == "SCAN" and step[-1] not in PARTIAL)
        found.update(step[1] for step in whole)

    event.listen(engine, "before_cursor_execute", look)
    yield found
    event.remove(engine, "before_cursor_execute", look)

"""Which tables the statements of a block read in whole, as SQLite plans them."""

from contextlib import contextmanager

from sqlalchemy import event


@contextmanager
def read_in_whole(engine):
    """The names of those tables, which are there after the block."""
    found = set()

    def look(connection, _cursor, statement, sent, _context, many):
        driver = connection.connection.driver_connection
        plan = driver.execute(f"EXPLAIN QUERY PLAN {statement}", sent[0] if many else sent)
        steps = [step.split() for *_, step in plan]
        found.update(words[1] for words in steps if words[0] == "SCAN")

    event.listen(engine, "before_cursor_execute", look)
    yield found
    event.remove(engine, "before_cursor_execute", look)

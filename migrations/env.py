"""Runs the migrations for Flask-Migrate: on its app's engine, towards its app's metadata."""

from alembic import context
from alembic.util import CommandError
from flask import current_app

if context.is_offline_mode():
    raise CommandError("Run this without --sql: the first migration also seeds the permissions.")

# One at a time: a second one waits here, and then finds the work done. A migration takes the time
# that it takes, but it must not wait for a table while all requests wait behind it.
LOCK = {
    "sqlite": ("BEGIN IMMEDIATE",),
    "postgresql": (
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL lock_timeout = 0",
        "SELECT pg_advisory_xact_lock(hashtext('e2ereset migrations'))",
        "SET LOCAL lock_timeout = '5s'",
    ),
}
db = current_app.extensions["migrate"].db
with db.engine.begin() as connection:  # all migrations that are due, or none
    for statement in LOCK[connection.dialect.name]:
        connection.exec_driver_sql(statement)
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    context.run_migrations()

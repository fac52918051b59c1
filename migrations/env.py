"""Runs the migrations for Flask-Migrate: on its app's engine, towards its app's metadata."""

from alembic import context
from alembic.util import CommandError
from flask import current_app

if context.is_offline_mode():
    raise CommandError("Run this without --sql: the first migration also seeds the permissions.")

db = current_app.extensions["migrate"].db
with db.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_as_batch=db.engine.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()

"""The standalone server for gunicorn: `gunicorn e2ereset.server.wsgi:app`."""

import os
import sys

from e2ereset.errors import E2EResetError

from .app import create_app
from .migrations import add_migrations

try:
    app = create_app()
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":  # as `flask --app wsgi migrations`
        add_migrations(app)
except E2EResetError as error:
    sys.exit(f"Error: {error}")

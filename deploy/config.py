"""The instance's `config.py` for compose.yaml and the systemd units: secrets come from files.

Each file holds one secret; `secret_keys` one a line, newest first. Under systemd they are
credentials of the unit, under compose its secrets. All else comes from the environment.
"""

import os
from pathlib import Path

from sqlalchemy import URL


def secret(name):
    """The text of one secret."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "/run/secrets")
    return Path(folder, name).read_text(encoding="utf-8").strip()


E2ERESET_SECRET_KEYS = secret("secret_keys").split()
SQLALCHEMY_DATABASE_URI = URL.create(
    "postgresql+psycopg",
    username=os.environ.get("DATABASE_USER", "e2ereset"),
    password=secret("database_password"),
    host=os.environ.get("DATABASE_HOST", "127.0.0.1"),
    database=os.environ.get("DATABASE_NAME", "e2ereset"),
).render_as_string(hide_password=False)

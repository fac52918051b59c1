"""The standalone server for gunicorn: `gunicorn wsgi:app`."""

from e2ereset.server.app import create_app

app = create_app()

"""The standalone server for gunicorn: `gunicorn wsgi:app`."""

from e2ereset.server.wsgi import app

__all__ = ["app"]

"""The app with its configuration and nothing else: what the server and `doctor` start from."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Request
from flask.sessions import SessionInterface

from . import instance_folder


class NoCookies(SessionInterface):
    """The sign-in is in the headers, so no request pays for a session that no view opens."""

    def open_session(self, app: Flask, request: Request) -> None:
        """None: the views get Flask's null session, which cannot be written."""


class Server(Flask):
    """An app whose views and hooks are all plain functions."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The same function. Flask would look at fifteen of them on each request."""
        return func


def configured_app(config: Mapping[str, Any]) -> Flask:
    """A Flask app configured by defaults, `config.py`, the environment and `config`, in this order.

    Raises SettingsError for an instance folder or a `config.py` that cannot be used.
    """
    app = Server("e2ereset", static_folder=None, instance_path=str(instance_folder.find()))
    app.session_interface = NoCookies()
    folder = Path(app.instance_path)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI="sqlite:///e2ereset.sqlite3",
        MAIL_FILE_PATH=str(folder / "mail"),
        E2ERESET_COOKIE_SIGN_IN=False,  # the sign-in is in headers, and only there
    )
    instance_folder.read_config(app.config, folder / "config.py")
    app.config.from_prefixed_env()
    app.config.from_mapping(config)
    instance_folder.check_folder(folder, app.config)
    if not instance_folder.has_secret(app.config):
        app.config["SECRET_KEY"] = instance_folder.own_secret_key(folder / "secret_key")
    return app

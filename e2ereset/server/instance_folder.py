"""The instance folder: its place, its `config.py`, and the secret key that we make in it."""

import os
import secrets
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Config
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from e2ereset.errors import SettingsError
from e2ereset.files import private

VARIABLE = "E2ERESET_INSTANCE"
DEFAULT = "instance"
TELLING = (SyntaxError, NameError, ImportError, OSError)
"""Errors in a `config.py` whose message cannot contain a secret."""


def find() -> Path:
    """The folder that E2ERESET_INSTANCE names, or `instance` in the working folder.

    Raises SettingsError where the variable names a folder that does not exist: it may be a typo.
    """
    named = os.environ.get(VARIABLE)
    folder = Path(named or DEFAULT).resolve()
    if named and not folder.is_dir():
        raise SettingsError(
            f"{VARIABLE} names {folder}, which is no folder. Correct it, or make the folder:"
            f" mkdir -m 700 {folder}"
        )
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        raise SettingsError(f"The instance folder {folder} cannot be read by this account.")
    return folder


def make_default_folder() -> None:
    """Make `instance` in the working folder, for its owner only, unless another one is named.

    Raises SettingsError where it cannot be made.
    """
    folder = Path(DEFAULT).resolve()
    if os.environ.get(VARIABLE) or folder.is_dir():
        return
    try:
        folder.mkdir(mode=0o700)
    except OSError as fault:
        raise SettingsError(
            f"The instance folder {folder} cannot be made: {fault.strerror}. Make it, or name"
            f" another one in {VARIABLE}."
        ) from None


def read_config(config: Config, path: Path) -> None:
    """Read this `config.py` if it exists. Raises SettingsError where it is broken."""
    if not path.exists():
        return
    try:
        with path.open("rb"):  # Flask takes a folder for a file that is not there
            config.from_pyfile(str(path))
    except Exception as fault:
        raise SettingsError(f"{path} cannot be read: {_explain(fault, path)}") from None


def check_folder(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise SettingsError where the folder is missing and we would have to write into it."""
    if folder.is_dir() or (has_secret(config) and not _is_within(config)):
        return
    raise SettingsError(
        f"There is no instance folder {folder}. Go to the server's folder, or name its instance"
        f" folder in {VARIABLE}. For a new server: e2ereset db upgrade"
    )


def has_secret(config: Mapping[str, Any]) -> bool:
    """Whether the configuration names a secret key."""
    return bool(config.get("SECRET_KEY") or config.get("E2ERESET_SECRET_KEYS"))


def own_secret_key(path: Path) -> str:
    """The secret key in this file; the first start makes it, readable by its owner only.

    Raises SettingsError where it can be neither made nor read.
    """
    try:
        if not path.exists():
            _make_secret_key(path)
        return path.read_text(encoding="ascii")
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or "it is no text"
        raise SettingsError(
            f"The secret key {path} can be neither read nor made: {why}. Let this account write"
            " into the folder, or set E2ERESET_SECRET_KEYS."
        ) from None


def _make_secret_key(path: Path) -> None:
    # Linking is atomic: the file has all of its content, and only one of several workers makes it.
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with open(draft, "x", encoding="ascii", opener=private) as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _is_within(config: Mapping[str, Any]) -> bool:
    """Whether the database is a SQLite file in the instance folder."""
    try:
        url = make_url(config["SQLALCHEMY_DATABASE_URI"])
    except ArgumentError:
        return False  # another check reports it
    name = url.database or ":memory:"
    is_file = url.get_backend_name() == "sqlite" and not name.startswith((":memory:", "file:"))
    return is_file and not os.path.isabs(name)


def _explain(fault: Exception, path: Path) -> str:
    """What is wrong, and in which line; without a message that may quote a secret."""
    frames = traceback.extract_tb(fault.__traceback__)
    line = next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)
    words = str(fault)
    if isinstance(fault, SyntaxError):
        line, words = fault.lineno, fault.msg
    told = type(fault).__name__ + (f": {words}" if isinstance(fault, TELLING) else "")
    return told + (f", in line {line}." if line else ".")

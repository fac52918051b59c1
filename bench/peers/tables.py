"""The tables of the two peers on Flask-SQLAlchemy, and what its documentation makes of deletes."""

# mypy: disable-error-code="name-defined,misc,attr-defined,import-untyped,untyped-decorator"

import os
import sqlite3
import time
from typing import Any

from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, ForeignKey, event, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.facts import KEY, ROOMS_EACH

DATABASE = os.environ["BENCH_DATABASE"]


class Base(DeclarativeBase):
    """Of all tables here."""


db = SQLAlchemy(model_class=Base)


class Subscription(db.Model):
    """A room of a user, with its keys."""

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    room: Mapped[str]
    key: Mapped[str | None]
    suggested_key: Mapped[str | None]
    old_keys: Mapped[str | None]


class KeyPair(db.Model):
    """The keys of a user."""

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    public_key: Mapped[str]
    private_key: Mapped[str]


class Audit(db.Model):
    """What was done."""

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int]
    action: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    address: Mapped[str]
    agent: Mapped[str]


class Outbox(db.Model):
    """A mail to send."""

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str]
    kind: Mapped[str]
    created_at: Mapped[int]


def clear_keys(user: Any) -> None:
    """Clear the keys of a user, and note it; the caller commits."""
    for subscription in user.subscriptions:
        subscription.key = subscription.suggested_key = subscription.old_keys = None
    if user.key_pair:
        db.session.delete(user.key_pair)
    now, address = int(time.time()), request.remote_addr or ""
    agent = request.headers.get("User-Agent", "")
    db.session.add(
        Audit(at=now, action="reset-e2e-key", user_id=user.id, address=address, agent=agent)
    )
    db.session.add(Outbox(recipient=user.email, kind="key-reset", created_at=now))


def connect(app: Flask) -> None:
    """Use the SQLite file of BENCH_DATABASE."""
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{DATABASE}"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": {"timeout": 10}}
    db.init_app(app)


def fill_rooms(count: int) -> None:
    """Give the users 1 to `count` their rooms and keys."""
    ids = range(1, count + 1)
    pairs = [{"user_id": i, "public_key": KEY, "private_key": KEY} for i in ids]
    rooms = [
        {"user_id": i, "room": f"r{i + n}", "key": KEY} for i in ids for n in range(ROOMS_EACH)
    ]
    db.session.execute(insert(KeyPair), pairs)
    db.session.execute(insert(Subscription), rooms)
    db.session.commit()


@event.listens_for(Engine, "connect")
def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()

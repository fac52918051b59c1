"""The plain idiom of Flask-SQLAlchemy: objects loaded, changed, deleted, committed once."""

# mypy: disable-error-code="name-defined,misc,attr-defined,import-untyped,untyped-decorator"

import hashlib
import time

import pyotp
from flask import Flask, abort, request
from sqlalchemy import ForeignKey, insert, update
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bench.facts import PEER_SECRET

from .tables import KeyPair, Subscription, clear_keys, connect, db, fill_rooms

STEP, WINDOW = 30, 1


class User(db.Model):
    """A user with TOTP."""

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    active: Mapped[bool]
    totp_secret: Mapped[str]
    last_step: Mapped[int]
    tokens: Mapped[list["Token"]] = relationship(back_populates="user")
    subscriptions: Mapped[list[Subscription]] = relationship()
    key_pair: Mapped[KeyPair | None] = relationship()


class Token(db.Model):
    """A sign-in."""

    digest: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    expires_at: Mapped[int]
    user: Mapped[User] = relationship(back_populates="tokens")


app = Flask(__name__)
connect(app)


@app.post("/reset")
def reset() -> dict[str, bool]:
    """Reset the caller's own key behind a TOTP code."""
    token = db.session.get(Token, _digest(request.headers.get("X-Auth-Token", "")))
    if token is None or token.expires_at <= time.time() or not token.user.active:
        abort(401)
    user = token.user
    if not _is_fresh(user, request.headers.get("X-2fa-Code", "")):
        abort(400)
    clear_keys(user)
    for each in user.tokens:
        db.session.delete(each)
    db.session.commit()
    return {"success": True}


def _is_fresh(user: User, code: str) -> bool:
    totp, now = pyotp.TOTP(user.totp_secret), int(time.time())
    for step in range(now // STEP - WINDOW, now // STEP + WINDOW + 1):
        if pyotp.utils.strings_equal(totp.generate_otp(step), code):
            mine = update(User).where(User.id == user.id, User.last_step < step)
            return bool(db.session.execute(mine.values(last_step=step)).rowcount)
    return False


def fill(count: int) -> list[str]:
    """People, and their tokens."""
    ids, tokens = range(1, count + 1), [f"token-of-{i}" for i in range(1, count + 1)]
    facts = {"active": True, "totp_secret": PEER_SECRET, "last_step": 0}
    users = [{"id": i, "email": f"{i}@example.org", **facts} for i in ids]
    rows = [
        {"digest": _digest(token), "user_id": i, "expires_at": 4_000_000_000}
        for i, token in zip(ids, tokens, strict=True)
    ]
    with app.app_context():
        db.create_all()
        db.session.execute(insert(User), users)
        db.session.execute(insert(Token), rows)
        fill_rooms(count)
    return tokens


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

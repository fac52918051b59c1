"""Flask-Security-Too: its unified sign-in verifies the code again, then a fresh token may reset.

As it says, the steps that were used are kept by a subclass of its Totp; its tokens are revoked by
a new uniquifier.
"""

# mypy: disable-error-code="name-defined,misc,attr-defined,import-untyped,untyped-decorator"

import json
from typing import Any

from flask import Flask
from flask_security import (
    Security,
    SQLAlchemyUserDatastore,
    UserMixin,
    auth_required,
    current_user,
)
from flask_security.models import fsqla_v3 as fsqla
from flask_security.totp import TokenError, Totp
from sqlalchemy import insert, update
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bench.facts import PEER_SECRET, SECRET_KEY

from .tables import KeyPair, Subscription, clear_keys, connect, db, fill_rooms

fsqla.FsModels.set_db_info(db)


class Role(db.Model, fsqla.FsRoleMixin):
    """Nobody has one."""


class User(db.Model, fsqla.FsUserMixin):
    """A user with TOTP."""

    last_counter: Mapped[int] = mapped_column(default=0)
    subscriptions: Mapped[list[Subscription]] = relationship()
    key_pair: Mapped[KeyPair | None] = relationship()


class Counted(Totp):
    """Takes each step of a user once."""

    def get_last_counter(self, user: UserMixin) -> int | None:
        """The last step that was used."""
        return user.last_counter or None

    def set_last_counter(self, user: UserMixin, tmatch: Any) -> None:
        """Use up a step. Raises TokenError when another request did."""
        mine = update(User).where(User.id == user.id, User.last_counter < tmatch.counter)
        if not db.session.execute(mine.values(last_counter=tmatch.counter)).rowcount:
            raise TokenError
        db.session.commit()


app = Flask(__name__)
app.config |= {
    "SECRET_KEY": SECRET_KEY,
    "SECURITY_PASSWORD_SALT": SECRET_KEY,
    "SECURITY_TOTP_SECRETS": {"1": SECRET_KEY},
    "SECURITY_TOTP_ISSUER": "bench",
    "SECURITY_UNIFIED_SIGNIN": True,
    "SECURITY_US_ENABLED_METHODS": ["authenticator"],
    "SECURITY_API_ENABLED_METHODS": ["token"],
    "WTF_CSRF_ENABLED": False,
}
connect(app)
datastore = SQLAlchemyUserDatastore(db, User, Role)
security = Security(app, datastore, totp_cls=Counted)


@app.post("/reset")
@auth_required("token", within=1, grace=0)
def reset() -> dict[str, bool]:
    """Reset the caller's own key; a code was verified just before."""
    clear_keys(current_user)
    datastore.set_uniquifier(current_user)
    datastore.commit()
    return {"success": True}


def fill(count: int) -> list[str]:
    """People, and their tokens."""
    with app.app_context():
        db.create_all()
        encrypted = security.totp_factory._totp(PEER_SECRET).to_json(encrypt=True)
        facts = {"active": True, "us_totp_secrets": json.dumps({"authenticator": encrypted})}
        ids = range(1, count + 1)
        users = [
            {"id": i, "email": f"{i}@example.org", "fs_uniquifier": f"{i:064d}", **facts}
            for i in ids
        ]
        db.session.execute(insert(User), users)
        fill_rooms(count)
        with app.test_request_context():
            return [user.get_auth_token() for user in db.session.scalars(db.select(User))]

"""The host's users as e2ereset sees them: all that an embedding has to write."""

import secrets

from flask import request, session
from flask_login import current_user
from sqlalchemy import select, update

from e2ereset import Account, Caller, name_key

from .models import User

SIGNED_IN_AT = "signed_in_at"


class HostAccounts:
    """Implements `e2ereset.ports.Accounts`, and `HoldsSessions`."""

    def get(self, session, account_id):
        """The account of this id; None when there is none."""
        # Any text may come as an id; this one is a number that fits the column, or nobody's.
        is_id = account_id.isascii() and account_id.isdecimal() and len(account_id) < 10
        return to_account(session.get(User, int(account_id)) if is_id else None)

    def find(self, session, username):
        """The account of this username, as `name_key` compares names; None when there is none."""
        query = select(User).where(User.name_key == name_key(username))
        return to_account(session.scalars(query).first())

    def check_password(self, session, account_id, digest):
        """Never: the hashes here are of the plain password, so `password` is no method of ours."""
        return False

    def end_sessions(self, session, account_id):
        """End every sign-in of the account, in the transaction of the reset."""
        users = update(User).where(User.id == int(account_id))
        return session.execute(users.values(sign_in=secrets.token_hex(16))).rowcount


def to_account(user):
    """A user as e2ereset's record; only a confirmed address is good for mails."""
    return user and Account(
        id=str(user.id),
        username=user.name,
        emails=(user.email,) if user.email and user.email_confirmed else (),
        roles=("admin",) if user.is_staff else ("user",),
    )


def identify():
    """Who is signed in, by Flask-Login."""
    if not current_user.is_authenticated:
        return None
    return Caller(
        account=to_account(current_user),
        address=request.remote_addr or "",
        agent=request.user_agent.string,
        signed_in_at=session.get(SIGNED_IN_AT, 0),
    )

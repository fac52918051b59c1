"""Who is signed in: by Flask-Login, by Flask-Security, or by a function of the host's.

The two are not imported before they are used.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, current_app, has_request_context, request, session
from werkzeug.local import LocalProxy

from e2ereset.errors import SettingsError
from e2ereset.ports import KnowsUsers
from e2ereset.records import UNKNOWN_AGE, Caller
from e2ereset.runtime import get_e2ereset

NOTED = "_e2ereset"
"""Where Flask's session has the start and the handle of its sign-in, and whose it is."""
USER_ID = "_user_id"
"""Where Flask-Login has the user of a session; a user by a token or a header is not there."""
PROVED_AT = "fs_paa"
"""Where Flask-Security notes when the password, or its like, was given."""
HANDLE_BYTES = 12


def identify_by(
    user: Callable[[], Any], *, since: Callable[[], int | None] | None = None
) -> Callable[[], Caller | None]:
    """An `identify` for a sign-in of your own: `user` gives the user of this request, or None.

    The caller is made by `accounts.account(user)`. `since`: when the sign-in began, in epoch
    seconds, None where that is not known. Raises SettingsError when `user` is no function.
    """
    if isinstance(user, LocalProxy) or not callable(user):
        raise SettingsError(
            "identify_by takes a function that gives the user. Flask-Login's current_user is none:"
            " give flask_login_identify in the place of identify_by."
        )

    def identify() -> Caller | None:
        """The signed-in caller of this request; None when there is none."""
        return _caller(user(), signed_in_at=since() if since else None)

    return identify


class FlaskLoginIdentify:
    """`identify` for Flask-Login: the caller who is signed in, by `accounts.account(user)`.

    When a sign-in began is noted in Flask's session by Flask-Login's signal. A session that has no
    such note is older than e2ereset in the app, or comes of a "remember me" cookie: no factor that
    its owner enrols by themselves is a proof for it, nor the password beside one, before they sign
    in again. Of a user who is known by a header or a token nothing is noted.
    """

    def init_app(self, app: Flask) -> None:
        """Note the sign-ins of this app from now on. `E2EReset` calls it."""
        from flask_login import user_logged_in

        user_logged_in.connect(_note_sign_in, app)

    def __call__(self) -> Caller | None:
        """The signed-in caller of this request; None when there is none."""
        from flask_login import current_user

        if not hasattr(current_app, "login_manager"):
            raise SettingsError(
                "This app has no Flask-Login yet. Call login_manager.init_app(app)."
            )
        if not current_user or not current_user.is_authenticated:
            return None
        return _caller(current_user._get_current_object(), **self._sign_in())

    def _sign_in(self) -> dict[str, Any]:
        if USER_ID not in session:
            return {}
        noted = session.get(NOTED)
        if noted is None:
            return {"sign_in": "", "signed_in_at": self.began()}
        if noted.get("of") != session[USER_ID]:  # somebody else's: "remember me" brought this one
            return {"sign_in": "", "signed_in_at": UNKNOWN_AGE}
        return {"sign_in": noted["id"], "signed_in_at": noted["at"]}

    def began(self) -> int:
        """When a sign-in began of which nothing is noted, in epoch seconds."""
        return UNKNOWN_AGE


class FlaskSecurityIdentify(FlaskLoginIdentify):
    """`identify` for Flask-Security-Too, as that for Flask-Login, on which it stands.

    Where nothing is noted the sign-in began when the password was given, as far as that is known.
    """

    def began(self) -> int:
        """When the password was given; 0 when that is not known."""
        return int(session.get(PROVED_AT, UNKNOWN_AGE))


flask_login_identify = FlaskLoginIdentify()
"""Give it as `identify`: who is signed in by Flask-Login."""
flask_security_identify = FlaskSecurityIdentify()
"""Give it as `identify`: who is signed in by Flask-Security-Too, by session or token."""


def _caller(user: Any, **sign_in: Any) -> Caller | None:
    accounts = get_e2ereset().accounts
    if not isinstance(accounts, KnowsUsers):
        raise SettingsError("accounts has no method account(user), see e2ereset.ports.")
    account = accounts.account(user) if user else None
    if account is None:
        return None
    agent = request.user_agent.string
    return Caller(account=account, address=request.remote_addr or "", agent=agent, **sign_in)


def _note_sign_in(app: Flask, **_facts: Any) -> None:
    if not has_request_context() or "e2ereset" not in app.extensions:
        return
    runtime = get_e2ereset(app)
    handle = runtime.entropy.token_urlsafe(HANDLE_BYTES)
    session[NOTED] = {"at": int(runtime.clock()), "id": handle, "of": session.get(USER_ID)}

"""A small app with users of its own that embeds e2ereset.

Run it with `flask --app examples.host_app.app run`.

Its sign-in is a cookie. e2ereset's routes, and the views behind its gate, refuse what a page of
another site sends. `SameSite=Lax` keeps the cookie off such requests to all other views;
Flask-WTF's CSRFProtect would guard those too, and covers e2ereset's routes as well.
"""

import time
from functools import wraps

from flask import Flask, request
from flask_login import LoginManager, current_user, login_required, login_user

from e2ereset import E2EReset, Refusal, get_e2ereset, name_key, two_factor_required

from .accounts import HostAccounts, identify, to_account
from .models import Project, User, db


def create_app(config=None, clock=time.time):
    """The host app, with e2ereset under /keys and its gate around a view of the host's own."""
    app = Flask(__name__)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3",
        SESSION_COOKIE_SAMESITE="Lax",
        E2ERESET_METHODS=["totp", "email"],
    )
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})
    db.init_app(app)
    add_sign_in(app)
    E2EReset(
        app,
        db=db,
        accounts=HostAccounts(),
        identify=identify,
        url_prefix="/keys",
        name="keys",
        clock=clock,
    )
    add_views(app)
    return app


def add_sign_in(app):
    """Flask-Login, as the host always had it."""
    manager = LoginManager(app)

    @manager.user_loader
    def load_user(value):
        user_id, _, sign_in = value.partition(".")
        user = db.session.get(User, int(user_id))
        return user if user and user.sign_in == sign_in else None

    @app.post("/sign-in")
    def sign_in():
        user = db.session.query(User).filter_by(name_key=name_key(request.form["name"])).first()
        if user is None or not user.has_password(request.form["password"]):
            return {"error": "Wrong name or password"}, 401
        login_user(user)
        return {"name": user.name}


def proven_by_who_can(action):
    """Guard a view with the second factor of those who have one: a stolen sign-in adds none.

    A first factor has nothing to be guarded by but the sign-in.
    """

    def decorate(view):
        guarded = two_factor_required(action)(view)

        @wraps(view)
        def either(*args, **kwargs):
            status = get_e2ereset().factors.status(to_account(current_user).id)
            return (guarded if status.totp or status.email else view)(*args, **kwargs)

        return either

    return decorate


def add_views(app):
    """Enrolment in TOTP, and a view that runs only behind the second factor."""

    @app.errorhandler(Refusal)
    def refused(refusal):
        return {"error": str(refusal)}, 400

    @app.post("/two-factor/begin")
    @login_required
    @proven_by_who_can("enrol-totp")
    def begin():
        enrolment = get_e2ereset().factors.begin_totp(to_account(current_user))
        return {"secret": enrolment.secret, "url": enrolment.url}

    @app.post("/two-factor/confirm")
    @login_required
    @proven_by_who_can("enrol-totp")
    def confirm():
        caller, code = identify(), request.form["code"]
        codes = get_e2ereset().factors.confirm_totp(caller.account, code, caller=caller)
        return {"backupCodes": codes}

    @app.post("/two-factor/disable")
    @login_required
    @two_factor_required("disable-totp")
    def disable():
        return {"disabled": get_e2ereset().factors.disable_totp(to_account(current_user))}

    @app.delete("/projects/<int:project>")
    @two_factor_required("delete-project", target=lambda project: str(project))
    def delete_project(project):
        db.session.delete(db.get_or_404(Project, project))
        db.session.commit()
        return {"deleted": project}

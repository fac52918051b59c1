"""A small app with users of its own that embeds e2ereset.

Run it with `flask --app examples.host_app.app run`.

Its sign-in is a cookie. A cross-site form can not send `x-2fa-code`, and `SameSite=Lax` keeps the
cookie off cross-site POSTs; an app that needs older browsers adds Flask-WTF's CSRFProtect, which
covers e2ereset's routes too.
"""

import time

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


def add_views(app):
    """Enrolment in TOTP, and a view that runs only behind the second factor."""

    @app.errorhandler(Refusal)
    def refused(refusal):
        return {"error": str(refusal)}, 400

    @app.post("/two-factor/begin")
    @login_required
    def begin():
        enrolment = get_e2ereset().factors.begin_totp(to_account(current_user))
        return {"secret": enrolment.secret, "url": enrolment.url}

    @app.post("/two-factor/confirm")
    @login_required
    def confirm():
        codes = get_e2ereset().factors.confirm_totp(to_account(current_user), request.form["code"])
        return {"backupCodes": codes}

    @app.delete("/projects/<int:project>")
    @two_factor_required("delete-project", target=lambda project: str(project))
    def delete_project(project):
        db.session.delete(db.get_or_404(Project, project))
        db.session.commit()
        return {"deleted": project}

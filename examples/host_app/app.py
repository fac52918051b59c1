"""A small app with users of its own that embeds e2ereset.

Run it with `flask --app examples.host_app.app run`.

Its sign-in is a cookie. e2ereset's routes, and the views behind its gate, refuse what a page of
another site sends. `SameSite=Lax` keeps the cookie off such requests to all other views;
Flask-WTF's CSRFProtect would guard those too, and covers e2ereset's routes as well.
"""

import time

from flask import Flask, request, session
from flask_login import LoginManager, login_user

from e2ereset import E2EReset, name_key, two_factor_required

from .accounts import SIGNED_IN_AT, HostAccounts, identify
from .models import Project, User, db


def create_app(config=None, clock=time.time):
    """The host app, with resets and enrolment under /keys, and the gate around a view."""
    app = Flask(__name__)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3",
        SESSION_COOKIE_SAMESITE="Lax",
        E2ERESET_METHODS=["totp", "email"],
    )
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})
    db.init_app(app)
    add_sign_in(app, clock)
    E2EReset(
        app,
        db=db,
        accounts=HostAccounts(),
        identify=identify,
        url_prefix="/keys",
        name="keys",
        areas=["reset", "factors"],
        clock=clock,
    )
    add_views(app)
    return app


def add_sign_in(app, clock):
    """Flask-Login, as the host always had it; and when a sign-in began."""
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
        session[SIGNED_IN_AT] = int(clock())
        return {"name": user.name}


def add_views(app):
    """A view that runs only behind the second factor."""

    @app.delete("/projects/<int:project>")
    @two_factor_required("delete-project", target=lambda project: str(project))
    def delete_project(project):
        db.session.delete(db.get_or_404(Project, project))
        db.session.commit()
        return {"deleted": project}

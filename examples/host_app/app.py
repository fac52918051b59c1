"""A small app with users of its own that embeds e2ereset.

Run it with `flask --app examples.host_app.app run`.

Its sign-in is a cookie. e2ereset's routes, and the views behind its gate, refuse what a page of
another site sends. `SameSite=Lax` keeps the cookie off such requests to all other views;
Flask-WTF's CSRFProtect would guard those too, and covers e2ereset's routes as well.
"""

import time

from flask import Flask, redirect, request
from flask_login import LoginManager, login_user

from e2ereset import E2EReset, SQLAlchemyAccounts, flask_login_identify, two_factor_required

from .models import Project, User, db

ACCOUNTS = {"username": "name", "email": "email", "verified": "email_confirmed"}
ACCOUNTS |= {"roles": "role", "password": "password", "session_key": "sign_in"}


def create_app(config=None, clock=time.time):
    """The host app, with resets, enrolment and pages, and the gate around a view."""
    app = Flask(__name__)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3", SESSION_COOKIE_SAMESITE="Lax"
    )
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})
    db.init_app(app)
    add_sign_in(app)
    accounts = SQLAlchemyAccounts(User, **ACCOUNTS)
    options = {"url_prefix": "/keys", "name": "keys", "areas": ["reset", "factors", "pages"]}
    E2EReset(app, db=db, accounts=accounts, identify=flask_login_identify, clock=clock, **options)
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
        user = db.session.query(User).filter_by(name=request.form["name"]).first()
        if user is None or not user.has_password(request.form["password"]):
            return {"error": "Wrong name or password"}, 401
        login_user(user)
        return {"name": user.name}


def add_views(app):
    """Views that run only behind the second factor: for scripts, and for the form of a page."""

    @app.delete("/projects/<int:project>")
    @two_factor_required("delete-project", target=lambda project: str(project))
    def delete_project(project):
        drop(project)
        return {"deleted": project}

    @app.get("/projects")
    def projects():
        return ", ".join(project.name for project in db.session.query(Project))

    @app.post("/projects/<int:project>/delete")
    @two_factor_required("delete-project", target=lambda project: str(project))
    def delete_on_page(project):
        drop(project)
        return redirect("/projects")


def drop(project):
    """Delete this project."""
    db.session.delete(db.get_or_404(Project, project))
    db.session.commit()

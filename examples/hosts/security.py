"""An app with Flask-Security-Too: its model of users, its sign-in, its way to hash passwords."""

from datetime import UTC, datetime

from flask import Flask, redirect
from flask_security import Security, SQLAlchemyUserDatastore, hash_password, verify_password
from flask_security.models import fsqla
from flask_sqlalchemy import SQLAlchemy

from e2ereset import E2EReset, SQLAlchemyAccounts, flask_security_identify, two_factor_required

db = SQLAlchemy()
fsqla.FsModels.set_db_info(db)


class Role(db.Model, fsqla.FsRoleMixin):
    pass


class User(db.Model, fsqla.FsUserMixin):
    pass


MAIL = {"username": "email", "email": "email", "verified": "confirmed_at"}
HASHES = {"password": "password", "check": verify_password}
accounts = SQLAlchemyAccounts(User, **MAIL, **HASHES, roles="roles", session_key="fs_uniquifier")


def create_app(config):
    app = Flask(__name__)
    app.config.from_mapping({"SECURITY_PASSWORD_SALT": "a salt of this app"} | config)
    db.init_app(app)
    app.security = Security(app, SQLAlchemyUserDatastore(db, User, Role))
    areas = ["reset", "factors", "pages"]
    E2EReset(app, db=db, accounts=accounts, identify=flask_security_identify, areas=areas)

    @app.get("/items")
    def items():
        return "the items"

    @app.post("/items/<name>/delete")
    @two_factor_required("delete-item", target=lambda name: name)
    def delete(name):
        return redirect("/items")

    return app


def fill(app, email, password):
    """Make the tables and a user."""
    with app.app_context():
        db.create_all()
        users, confirmed = app.security.datastore, datetime.now(UTC)
        users.create_user(email=email, password=hash_password(password), confirmed_at=confirmed)
        users.commit()

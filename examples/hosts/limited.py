"""An app with Flask-Limiter, Flask-Talisman and Flask-Mail; its users have mailed codes only."""

from flask import Flask, redirect, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin, login_user
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy
from flask_talisman import Talisman
from werkzeug.security import check_password_hash, generate_password_hash

from e2ereset import E2EReset, SQLAlchemyAccounts, flask_login_identify, two_factor_required

db = SQLAlchemy()


class User(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(320), unique=True)
    password = db.Column(db.String(255))


accounts = SQLAlchemyAccounts(User, username="email", email="email", verified=True)


def create_app(config):
    app = Flask(__name__)
    app.config.from_mapping(config)
    db.init_app(app)
    Limiter(get_remote_address, app=app, default_limits=["100 per minute"])
    Talisman(app)
    Mail(app)
    LoginManager(app).user_loader(lambda user_id: db.session.get(User, int(user_id)))
    areas = ["reset", "factors", "pages"]
    E2EReset(app, db=db, accounts=accounts, identify=flask_login_identify, areas=areas)

    @app.post("/login")
    def login():
        user = db.session.query(User).filter_by(email=request.form["email"]).one()
        if check_password_hash(user.password, request.form["password"]):
            login_user(user)
        return redirect("/items")

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
        stored = generate_password_hash(password, "pbkdf2:sha256:10")
        db.session.add(User(email=email, password=stored))
        db.session.commit()

"""An app with plain SQLAlchemy, a session cookie of its own, and Flask-WTF's CSRFProtect."""

import secrets

import bcrypt
from flask import Flask, redirect, render_template_string, request, session
from flask_wtf import CSRFProtect
from sqlalchemy import Boolean, Column, Integer, String, create_engine
from sqlalchemy.orm import Session, declarative_base

from e2ereset import E2EReset, SQLAlchemyAccounts, identify_by, two_factor_required

Base = declarative_base()
csrf = CSRFProtect()
FORM = '<form method="post"><input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    email = Column(String(320), unique=True)
    confirmed = Column(Boolean)
    password = Column(String(60))
    sign_in = Column(String(32))


MAIL = {"username": "email", "email": "email", "verified": "confirmed"}
accounts = SQLAlchemyAccounts(User, **MAIL, password="password", session_key="sign_in")


def create_app(config):
    app = Flask(__name__)
    app.config.from_mapping(config)
    app.engine = create_engine(app.config["DATABASE"])
    csrf.init_app(app)

    def current_user():
        with Session(app.engine) as db:
            return db.query(User).filter_by(sign_in=session.get("sign_in", "")).first()

    options = {"engine": app.engine, "metadata": Base.metadata, "areas": ["reset", "pages"]}
    E2EReset(app, accounts=accounts, identify=identify_by(current_user), **options)
    csrf.exempt(app.blueprints["e2ereset"])

    @app.route("/login", methods=["GET", "POST"])
    def login():
        if request.method == "GET":
            return render_template_string(FORM)
        with Session(app.engine) as db:
            user = db.query(User).filter_by(email=request.form["email"]).one()
            if bcrypt.checkpw(request.form["password"].encode(), user.password.encode()):
                user.sign_in = session["sign_in"] = secrets.token_hex(16)
                db.commit()
        return redirect("/items")

    @app.get("/items")
    def items():
        name = current_user().email
        return render_template_string("the items of {{ name }}" + FORM, name=name)

    @app.post("/items/<name>/delete")
    @two_factor_required("delete-item", target=lambda name: name)
    def delete(name):
        return redirect("/items")

    return app


def fill(app, email, password):
    """Make the tables and a user."""
    Base.metadata.create_all(app.engine)
    stored = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    with Session(app.engine) as db:
        db.add(User(email=email, confirmed=True, password=stored))
        db.commit()

"""The host's own tables, which know nothing of e2ereset."""

from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import check_password_hash, generate_password_hash

HASHING = "scrypt"

db = SQLAlchemy()


class User(UserMixin, db.Model):
    """A person of this app, as it was before e2ereset came."""

    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), unique=True, nullable=False)
    email = db.Column(db.String(320))
    email_confirmed = db.Column(db.Boolean, nullable=False, default=False)
    role = db.Column(db.String(20), nullable=False, default="user")
    password = db.Column(db.String(255), nullable=False)
    sign_in = db.Column(db.String(32), nullable=False, default="first")

    def set_password(self, plain):
        """Store a hash of the password."""
        self.password = generate_password_hash(plain, HASHING)

    def has_password(self, plain):
        """Whether this is the password."""
        return check_password_hash(self.password, plain)

    def get_id(self):
        """Flask-Login's session value: it dies when `sign_in` changes."""
        return f"{self.id}.{self.sign_in}"


class Project(db.Model):
    """Something that only a second factor may delete."""

    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), nullable=False)

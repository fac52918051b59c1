"""The host's own tables. Of e2ereset they take how names are compared, nothing else."""

from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import check_password_hash, generate_password_hash

from e2ereset import name_key

HASHING = "scrypt"

db = SQLAlchemy()


class User(UserMixin, db.Model):
    """A person of this app, as it was before e2ereset came, but for `name_key`."""

    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), nullable=False)
    # Stored, as no database folds the case of all letters as Python does.
    name_key = db.Column(db.String(160), unique=True, nullable=False)
    email = db.Column(db.String(320))
    email_confirmed = db.Column(db.Boolean, nullable=False, default=False)
    is_staff = db.Column(db.Boolean, nullable=False, default=False)
    password = db.Column(db.String(255), nullable=False)
    sign_in = db.Column(db.String(32), nullable=False, default="first")

    @db.validates("name")
    def store_key(self, _field, name):
        """Keep the key beside the name, whenever that is set."""
        self.name_key = name_key(name)
        return name

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

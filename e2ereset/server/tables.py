"""The server's own tables stand on this base, and on this Flask-SQLAlchemy."""

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from e2ereset.store.tables import NAMING


class Base(DeclarativeBase):
    """Declarative base of the server's tables."""

    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base)

"""The roles that were made here."""

from sqlalchemy.orm import Mapped

from e2ereset.server.tables import Base
from e2ereset.store.tables import Key, Name


class CustomRole(Base):
    """A role that is not protected; its rank is the library's, which has a role of this name."""

    __tablename__ = "custom_roles"
    name: Mapped[Key]
    description: Mapped[Name]

"""Roles, permissions, and which role holds which."""

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.store.tables import Base, Key


class Role(Base):
    """A role. A higher `rank` outranks a lower one."""

    __tablename__ = "e2ereset_roles"
    name: Mapped[Key]
    rank: Mapped[int]


class Permission(Base):
    """A permission that roles can hold."""

    __tablename__ = "e2ereset_permissions"
    name: Mapped[Key]
    updated_at: Mapped[int | None] = mapped_column(BigInteger)
    """When a role got or lost it last, by the database's clock; None since it was seeded."""


class RolePermission(Base):
    """The role-permission table: each row gives a permission to a role."""

    __tablename__ = "e2ereset_role_permissions"
    permission: Mapped[str] = mapped_column(ForeignKey(Permission.name), primary_key=True)
    role: Mapped[str] = mapped_column(ForeignKey(Role.name), primary_key=True)

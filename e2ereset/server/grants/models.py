"""What the tokens of machines may do without a proof."""

from sqlalchemy import ForeignKeyConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.server.tables import Base
from e2ereset.store.tables import Epoch


class MachineGrant(Base):
    """The grant of the user's personal token of this name; it ends with that token.

    `actions`, `roles` and `networks` are JSON lists of texts. `used` counts the uses on `day`, in
    days (UTC) since 1970.
    """

    __tablename__ = "machine_grants"
    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    actions: Mapped[str] = mapped_column(Text)
    roles: Mapped[str] = mapped_column(Text)
    networks: Mapped[str] = mapped_column(Text)
    per_day: Mapped[int]
    day: Mapped[Epoch]
    used: Mapped[int]

    # The sign-ins of people have no name: nothing is looked up here when they end.
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "name"], ["tokens.user_id", "tokens.name"], ondelete="CASCADE"
        ),
    )

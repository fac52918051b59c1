"""The language that a user reads, which is kept with the rest of the profile."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from e2ereset.records import Reader

from .models import User
from .profiles import kept_of, merged


def reader(session: Session, account_id: str) -> Reader | None:
    """The language of this user; None for an unknown user."""
    user = session.scalars(select(User).where(User.id == account_id)).first()
    return None if user is None else Reader(language=str(kept_of(user).get("language", "")))


def set_language(session: Session, account_id: str, language: str) -> None:
    """Keep this language."""
    user = session.scalars(select(User).where(User.id == account_id).with_for_update()).first()
    if user is not None:
        profile = merged(user, {"language": language})
        session.execute(update(User).where(User.id == account_id).values(profile=profile))

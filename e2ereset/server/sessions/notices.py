"""The mail to the owner of a sign-in or token about what a caller did to it."""

from sqlalchemy.orm import Session

from e2ereset import Account, Runtime
from e2ereset.records import ActionRequest


def tell(
    runtime: Runtime, session: Session, asked: ActionRequest, *, owner: Account, change: str
) -> None:
    """Queue a mail to the owner that says what was changed, by whom and from where."""
    caller = asked.caller
    runtime.mail_owner(
        session,
        "account-changed",
        owner,
        now=asked.now,
        place=caller,
        by=caller.account.username,
        own=caller.account.id == owner.id,
        change=change,
        reason="",
    )

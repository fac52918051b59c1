"""Sign-ins and personal access tokens that were made on another server."""

from sqlalchemy.orm import Session

from e2ereset.store.statements import Statement

from .models import LOGIN, PERSONAL
from .tokens import TOKENS

ADD = Statement(lambda insert: insert(TOKENS).on_conflict_do_nothing())


def keep_token(
    session: Session,
    user_id: str,
    digest: str,
    *,
    created_at: int,
    expires_at: int | None,
    name: str | None = None,
    bypass_two_factor: bool = False,
    last_part: str | None = None,
) -> bool:
    """Store a token by its digest, as `token_digest` makes it; a personal one has a `name`.

    Times are in epoch seconds. False where somebody has this token, or the user one of this name.
    """
    row = {
        "digest": digest,
        "user_id": user_id,
        "kind": LOGIN if name is None else PERSONAL,
        "name": name,
        "bypass_two_factor": bypass_two_factor,
        "created_at": created_at,
        "expires_at": expires_at,
        "last_part": last_part,
    }
    return ADD(session, row).rowcount == 1

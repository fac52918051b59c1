"""The statements by which second factors are enrolled: each says by its row count what it did."""

from __future__ import annotations

from sqlalchemy import Executable, bindparam, case, delete, insert, select, update

from e2ereset.store.tables import table
from e2ereset.store.transactions import Inserts, PerDialect

from .models import BackupCode, EmailChallenge, EmailFactor, Totp

TOTPS, BACKUPS, EMAILS = table(Totp), table(BackupCode), table(EmailFactor)
CHALLENGES = table(EmailChallenge)
MINE = TOTPS.c.account_id == bindparam("account")
GET_PENDING = select(TOTPS.c.pending_secret).where(MINE)
GET_ENABLED = select(TOTPS.c.enabled_at).where(MINE)
# An UPDATE that changes nothing: no new enrolment can come between a secret and its codes.
LOCK_SECRET = (
    update(TOTPS)
    .where(MINE, TOTPS.c.enabled_at.is_not(None))
    .values(last_step=TOTPS.c.last_step)
    .returning(TOTPS.c.secret)
)
CONFIRM = (
    update(TOTPS)
    .where(
        MINE,
        TOTPS.c.pending_secret == bindparam("encrypted"),
        TOTPS.c.enabled_at.is_(None),
        TOTPS.c.last_step < bindparam("step"),
    )
    .values(
        secret=TOTPS.c.pending_secret,
        pending_secret=None,
        enabled_at=bindparam("now"),
        last_step=bindparam("step"),
        last_address=bindparam("from_address"),
        last_sign_in=bindparam("in_sign_in"),
    )
)
# No code confirms it, so the very next one is good; but none that this secret has used before.
ENABLE = (
    update(TOTPS)
    .where(MINE, TOTPS.c.pending_secret == bindparam("encrypted"), TOTPS.c.enabled_at.is_(None))
    .values(
        secret=TOTPS.c.pending_secret,
        pending_secret=None,
        enabled_at=bindparam("now"),
        last_step=case(
            (TOTPS.c.last_step > bindparam("step"), TOTPS.c.last_step), else_=bindparam("step")
        ),
    )
)
# The row stays for its last step: see BEGIN_GIVEN.
DISABLE = (
    update(TOTPS)
    .where(MINE, TOTPS.c.enabled_at.is_not(None))
    .values(secret=None, pending_secret=None, enabled_at=None)
)
DROP_PENDING = update(TOTPS).where(MINE, TOTPS.c.enabled_at.is_(None)).values(pending_secret=None)
DROP_BACKUPS = delete(BACKUPS).where(BACKUPS.c.account_id == bindparam("account"))
ADD_BACKUPS = insert(BACKUPS)
DROP_EMAIL = delete(EMAILS).where(EMAILS.c.account_id == bindparam("account"))
# The mailed codes of the account: those who read its mail box may not be its owner any more.
DROP_CODES = delete(CHALLENGES).where(CHALLENGES.c.account_id == bindparam("account"))
GET_EMAIL = select(EMAILS.c.enabled_at).where(EMAILS.c.account_id == bindparam("account"))
ADD_EMAIL = PerDialect(lambda insert: insert(EMAILS).on_conflict_do_nothing())


def _begin(*columns: str) -> PerDialect:
    """Store a pending secret, unless TOTP is enabled; these columns of an earlier one go."""

    def build(insert: Inserts) -> Executable:
        statement = insert(TOTPS)
        return statement.on_conflict_do_update(
            index_elements=[TOTPS.c.account_id],
            set_={name: statement.excluded[name] for name in columns},
            where=TOTPS.c.enabled_at.is_(None),
        )

    return PerDialect(build)


# Nobody has ever used a code of a secret that we have just made: the last step is that of another
# one, and must not refuse them. A secret that is given may be the one that was enrolled before:
# what it has used stays used.
BEGIN_MADE = _begin("pending_secret", "last_step", "last_address")
BEGIN_GIVEN = _begin("pending_secret")

"""The statements that enrol second factors. The row count of each tells whether it did it."""

from typing import Any

from sqlalchemy import Executable, bindparam, case, delete, func, insert, select, update

from e2ereset.store.statements import Inserts, Statement
from e2ereset.store.tables import table

from .models import EmailChallenge, EmailFactor
from .passkeys import PASSKEYS
from .strategies.totp import BACKUPS, BACKUPS_OF_MINE, MINE, TOTPS, USE

EMAILS, CHALLENGES = table(EmailFactor), table(EmailChallenge)
EMAIL_OF_MINE = EMAILS.c.account_id == bindparam("account")
PENDING = (
    MINE,
    TOTPS.c.pending_secret == bindparam("encrypted"),
    TOTPS.c.enabled_at.is_(None),
)
NOW_ENABLED: dict[str, Any] = {
    "secret": TOTPS.c.pending_secret,
    "pending_secret": None,
    "enabled_at": bindparam("now"),
}
GET_PENDING = select(TOTPS.c.pending_secret).where(MINE)
GET_ENABLED = select(TOTPS.c.enabled_at).where(MINE)
# An UPDATE that changes nothing locks the row: no enrolment comes between a secret and its codes.
LOCK_SECRET = (
    update(TOTPS)
    .where(MINE, TOTPS.c.enabled_at.is_not(None))
    .values(last_step=TOTPS.c.last_step)
    .returning(TOTPS.c.secret)
)
OWN = NOW_ENABLED | USE | {"counts_from": bindparam("from")}
CONFIRM = update(TOTPS).where(*PENDING, TOTPS.c.last_step < bindparam("step")).values(OWN)
# No code confirms it, so the very next code passes; but no code that this secret has used before.
LATER_STEP = case(
    (TOTPS.c.last_step > bindparam("step"), TOTPS.c.last_step), else_=bindparam("step")
)
ENABLE = (
    update(TOTPS)
    .where(*PENDING)
    .values(**NOW_ENABLED, last_step=LATER_STEP, counts_from=None, used_at=None)
)
# The row stays, as it holds the last step: see BEGIN_GIVEN.
DISABLE = (
    update(TOTPS)
    .where(MINE, TOTPS.c.enabled_at.is_not(None))
    .values(secret=None, pending_secret=None, enabled_at=None)
)
DROP_PENDING = update(TOTPS).where(MINE, TOTPS.c.enabled_at.is_(None)).values(pending_secret=None)
DROP_BACKUPS = delete(BACKUPS).where(BACKUPS_OF_MINE)
ADD_BACKUPS = insert(BACKUPS)
TOTP_FACTS = select(TOTPS.c.enabled_at, TOTPS.c.used_at, TOTPS.c.counts_from).where(
    MINE, TOTPS.c.enabled_at.is_not(None)
)
EMAIL_FACTS = select(EMAILS.c.enabled_at, EMAILS.c.used_at, EMAILS.c.counts_from).where(
    EMAIL_OF_MINE
)
PASSKEY_FACTS = (
    select(
        func.min(PASSKEYS.c.created_at).label("enabled_at"),
        func.max(PASSKEYS.c.used_at).label("used_at"),
        # One that counts for all is as good as all.
        func.min(func.coalesce(PASSKEYS.c.counts_from, 0)).label("counts_from"),
    )
    .where(PASSKEYS.c.account_id == bindparam("account"))
    .having(func.count() > 0)
)
ADD_EMAIL = Statement(lambda insert: insert(EMAILS).on_conflict_do_nothing())
DROP_EMAIL = delete(EMAILS).where(EMAIL_OF_MINE)
# Codes go to another address: the factor is no older than that.
RENEW_EMAIL = update(EMAILS).where(EMAIL_OF_MINE).values(enabled_at=bindparam("now"))
# Whoever reads the account's mail may not be its owner any more: the mailed codes go.
DROP_CODES = delete(CHALLENGES).where(CHALLENGES.c.account_id == bindparam("account"))


def _begin(*columns: str) -> Statement:
    """Store a pending secret unless TOTP is enabled; these columns of an earlier one change."""

    def build(insert: Inserts) -> Executable:
        """The statement of one dialect."""
        statement = insert(TOTPS)
        return statement.on_conflict_do_update(
            index_elements=[TOTPS.c.account_id],
            set_={name: statement.excluded[name] for name in columns},
            where=TOTPS.c.enabled_at.is_(None),
        )

    return Statement(build)


# A secret that we made is new: the last step of an earlier secret must not refuse its codes.
# A given secret may have been enrolled before: the steps that it has used stay used.
BEGIN_MADE = _begin("pending_secret", "last_step", "last_address")
BEGIN_GIVEN = _begin("pending_secret")

"""The rows of passkeys and of their challenges. Nothing here needs fido2."""

import json
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    BigInteger,
    Executable,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from e2ereset.records import Account, Action
from e2ereset.store.retained import NOW, Expiring
from e2ereset.store.statements import Inserts, Statement
from e2ereset.store.tables import table

from .models import Passkey, PasskeyChallenge

CODE_SECONDS, CODE_DIGITS = 60, 8

PASSKEYS, CHALLENGES = table(Passkey), table(PasskeyChallenge)
MINE = PASSKEYS.c.account_id == bindparam("account")
THIS = (MINE, PASSKEYS.c.id == bindparam("key"))
COUNTS = or_(PASSKEYS.c.counts_from.is_(None), PASSKEYS.c.counts_from <= bindparam("counting"))
CREDENTIALS = Statement(
    select(PASSKEYS.c.credential, PASSKEYS.c.transports)
    .where(MINE, COUNTS)
    .order_by(PASSKEYS.c.created_at, PASSKEYS.c.id)
)
COUNTED = select(func.count()).select_from(PASSKEYS).where(MINE)
LISTED = (
    select(
        PASSKEYS.c.id,
        PASSKEYS.c.name,
        PASSKEYS.c.created_at,
        PASSKEYS.c.used_at,
        PASSKEYS.c.counts_from,
    )
    .where(MINE)
    .order_by(PASSKEYS.c.created_at, PASSKEYS.c.id)
)
ADD = Statement(lambda insert: insert(PASSKEYS).on_conflict_do_nothing())
RENAME = update(PASSKEYS).where(*THIS).values(name=bindparam("called"))
REMOVE = delete(PASSKEYS).where(*THIS)
REMOVE_ALL = delete(PASSKEYS).where(MINE)
SIGNED: Any = bindparam("signed", type_=BigInteger)
# One that counts has to grow. One that signs 0 does not count, as most that are synchronized.
COUNT = (
    update(PASSKEYS)
    .where(*THIS, or_(PASSKEYS.c.counter < SIGNED, and_(PASSKEYS.c.counter == 0, SIGNED == 0)))
    .values(counter=SIGNED, used_at=bindparam("now", type_=BigInteger))
)

FOR_ACTION = (
    CHALLENGES.c.account_id == bindparam("account"),
    CHALLENGES.c.action == bindparam("for_action"),
    CHALLENGES.c.target == bindparam("at_target"),
    CHALLENGES.c.plan == bindparam("by_plan"),
)
LIVE = (*FOR_ACTION, CHALLENGES.c.nonce.is_not(None), CHALLENGES.c.expires_at > NOW)
NONCE = select(CHALLENGES.c.nonce, CHALLENGES.c.phrase).where(*LIVE)
BURN = update(CHALLENGES).where(*LIVE, CHALLENGES.c.nonce == bindparam("used")).values(nonce=None)
CODE_LIVES = (*FOR_ACTION, CHALLENGES.c.code_expires_at > NOW)
COUNT_TRY = (
    update(CHALLENGES)
    .where(*CODE_LIVES, CHALLENGES.c.tries < bindparam("most"))
    .values(tries=CHALLENGES.c.tries + 1)
)
DIGESTS: Any = bindparam("digests", expanding=True)
BURN_CODE = (
    update(CHALLENGES)
    .where(*CODE_LIVES, CHALLENGES.c.code_digest.in_(DIGESTS))
    .values(code_digest=None, code_expires_at=None)
)
SHOW_CODE = (
    update(CHALLENGES)
    .where(*FOR_ACTION)
    .values(code_digest=bindparam("digest"), code_expires_at=bindparam("until"), tries=0)
)
OF_ACCOUNT = CHALLENGES.c.account_id == bindparam("account")
ACTIONS = select(
    CHALLENGES.c.action.label("name"), CHALLENGES.c.target, CHALLENGES.c.phrase, CHALLENGES.c.plan
)
CONFIRM = "enable-passkey"
"""The action of the audit row of a new passkey, and of the challenge that makes it."""
# One that was begun without another factor: whoever began it did not prove that one.
DROP_BEGUN = delete(CHALLENGES).where(
    CHALLENGES.c.account_id == bindparam("account"), CHALLENGES.c.action == CONFIRM
)
WAITING = ACTIONS.where(
    OF_ACCOUNT,
    CHALLENGES.c.action != CONFIRM,
    CHALLENGES.c.nonce.is_not(None),
    CHALLENGES.c.expires_at > NOW,
).order_by(CHALLENGES.c.expires_at.desc(), CHALLENGES.c.action)
ASKED = ACTIONS.where(
    OF_ACCOUNT, CHALLENGES.c.action == bindparam("for_action"), CHALLENGES.c.action != CONFIRM
)
EXPIRING = Expiring(
    "passkey challenges",
    CHALLENGES,
    and_(
        CHALLENGES.c.expires_at <= NOW,
        func.coalesce(CHALLENGES.c.code_expires_at, 0) <= NOW,
    ),
)


def _start(insert: Inserts) -> Executable:
    """Store a challenge. A code that was shown stays: it is bound to what it is for."""
    statement = insert(CHALLENGES)
    fresh = ("target", "plan", "phrase", "nonce", "expires_at")
    return statement.on_conflict_do_update(
        index_elements=list(CHALLENGES.primary_key),
        set_={name: statement.excluded[name] for name in fresh},
    )


START = Statement(_start)


def digest_of(account: Account, action: Action, nonce: str) -> bytes:
    """What a passkey signs: a digest of who does what to whom, by which plan, this once."""
    told = [account.id, action.name, action.target, action.plan, nonce]
    return sha256(json.dumps(told).encode()).digest()


def code_of(account: Account, action: Action, code: str) -> tuple[str, ...]:
    """What the digest of a code that a page shows is made of."""
    return ("passkey code", account.id, action.name, action.target, action.plan, code)


def live_for(account: Account, action: Action, now: int) -> dict[str, Any]:
    """The parameters that find the challenge of an account for this action, if it lives."""
    return {
        "account": account.id,
        "for_action": action.name,
        "at_target": action.target,
        "by_plan": action.plan,
        "now": now,
    }

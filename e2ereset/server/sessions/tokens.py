"""Sign-ins and personal access tokens. Only a token's SHA-256 is stored, as the reference does."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Row, and_, bindparam, case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from e2ereset import Account
from e2ereset.errors import E2EResetError
from e2ereset.records import SignIn
from e2ereset.server.people import accounts
from e2ereset.store.retained import NOW, Expiring
from e2ereset.store.statements import Inserts, Opened, Statement
from e2ereset.store.tables import table

from .models import GRANT, LOGIN, PERSONAL, Token

TOKENS = table(Token)
TOKEN_BYTES = 32  # 43 characters
LAST_PART = 6
"""How many characters of a token its owner is shown, to tell it from others."""
SHOWN = ("kind", "name", "created_at", "expires_at", "bypass_two_factor", "last_part")
PLACE = ("address", "agent")
NOTED_EVERY = 86400
"""Seconds. The use of a token is noted once a day: more would cost a write with each request."""

OWN = TOKENS.c.user_id == bindparam("owner")
LIVE = or_(TOKENS.c.expires_at.is_(None), TOKENS.c.expires_at > bindparam("now"))
# Always with the user: a table that is partitioned by user is then read in one partition.
THIS = (TOKENS.c.digest == bindparam("key"), OWN)
NAMED = (OWN, TOKENS.c.name == bindparam("label"))


def _add(insert: Inserts) -> Any:
    """Add a token; no row where the user has one of this name."""
    return insert(TOKENS).on_conflict_do_nothing(index_elements=["user_id", "name"])


ADD = Statement(_add)
RENEW = Statement(
    update(TOKENS)
    .where(*NAMED, LIVE)
    .values(digest=bindparam("key"), created_at=bindparam("now"), last_part=bindparam("shown_part"))
    .values(used_at=None)
)
DROP_NAMED = Statement(delete(TOKENS).where(*NAMED))
OTHERS = (OWN, TOKENS.c.digest != bindparam("kept"))
DROP_OTHERS = Statement(delete(TOKENS).where(*OTHERS))
DROP_OTHER_LOGINS = Statement(delete(TOKENS).where(*OTHERS, TOKENS.c.kind == LOGIN))
ENDS = Statement(select(TOKENS.c.expires_at).where(*THIS))
LIST = (
    select(*(TOKENS.c[name] for name in SHOWN))
    .where(OWN, LIVE)
    .order_by(TOKENS.c.created_at, TOKENS.c.kind, TOKENS.c.name)
)
SIGN_INS = Statement(
    select(*(TOKENS.c[n] for n in ("digest", "kind", "name", "created_at", "used_at", *PLACE)))
    .where(OWN, LIVE)
    .order_by(TOKENS.c.created_at.desc(), TOKENS.c.digest)
)
LIST_PERSONAL = LIST.where(TOKENS.c.kind != LOGIN)
USED = func.coalesce(TOKENS.c.used_at, TOKENS.c.created_at).label("used")
IS_LIVE_SIGN_IN = and_(TOKENS.c.kind == LOGIN, LIVE)
"""Of somebody who is there: a personal token is used by a program, and shows nobody."""
LAST_SEEN: Any = func.coalesce(func.max(func.coalesce(TOKENS.c.used_at, TOKENS.c.created_at)), 0)
"""When the owners of some tokens were last seen, in epoch seconds; 0 where there is no token."""
NOTE_USE = Statement(
    update(TOKENS).where(*THIS, LIVE).values(used_at=bindparam("now", type_=BigInteger))
)
GRANTED = case((TOKENS.c.kind == GRANT, TOKENS.c.name), else_="").label("granted")
SIGNED_IN = Statement(
    accounts.account_rows(
        TOKENS.c.bypass_two_factor, TOKENS.c.created_at, GRANTED, USED, beside=TOKENS
    ).where(*THIS, LIVE)
)
OWNER = Statement(
    accounts.account_rows(beside=TOKENS).where(TOKENS.c.digest == bindparam("key"), LIVE)
)
# An UPDATE that changes nothing: it locks on every database, which SELECT ... FOR UPDATE does not.
LOCK = Statement(update(TOKENS).where(*THIS, LIVE).values(kind=TOKENS.c.kind))
LOCK_ALL = Statement(select(TOKENS.c.digest).where(OWN).with_for_update())
DROP = Statement(delete(TOKENS).where(*THIS))
DROP_ALL = Statement(delete(TOKENS).where(OWN))
DROP_EXPIRED = Statement(delete(TOKENS).where(OWN, TOKENS.c.expires_at <= bindparam("now")))
REMEMBER = Statement(
    update(TOKENS)
    .where(*THIS)
    .values(proven_mark=bindparam("mark"), proven_until=bindparam("until"))
)
FORGET = Statement(update(TOKENS).where(OWN).values(proven_mark=None, proven_until=None))
REMEMBERED = Statement(
    select(TOKENS.c.proven_mark).where(*THIS, TOKENS.c.proven_until > bindparam("now"))
)
COUNT = Statement(
    select(TOKENS.c.kind, func.count().label("live")).where(OWN, LIVE).group_by(TOKENS.c.kind)
)
EXPIRING = Expiring("tokens", TOKENS, TOKENS.c.expires_at <= NOW)


class TokenNameTaken(E2EResetError):
    """The user has a personal token of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to be made. `expires_at`, in epoch seconds, is None for one that never expires.

    With a `name` it is a personal token; `granted`: one that has a grant.
    `address` and `agent` say from where.
    `proven_by`: the stored hash of the password that it is made for; None where none was asked.
    """

    user_id: str
    created_at: int
    expires_at: int | None
    name: str | None = None
    bypass_two_factor: bool = False
    granted: bool = False
    address: str = ""
    agent: str = ""
    proven_by: str | None = field(default=None, repr=False)


def count_live(session: Session, user_id: str, now: int) -> tuple[int, int]:
    """How many live sign-ins, and how many live personal tokens, the user has."""
    counts = {row.kind: row.live for row in COUNT(session, {"owner": user_id, "now": now})}
    return counts.pop(LOGIN, 0), sum(counts.values())


def token_digest(token: str) -> str:
    """base64(SHA-256(token)): the form in which a token is stored and looked up."""
    data = token.encode("utf-8", "surrogatepass")
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def make_token(entropy: Any) -> str:
    """The text of a new token, which is good only after `add_token` has stored it.

    `entropy` is shaped like `secrets`.
    """
    return str(entropy.token_urlsafe(TOKEN_BYTES))


def sign_in_of(user_id: str, token: str) -> str:
    """The handle of the sign-in by this token of the user, as `Caller.sign_in` has it."""
    return _handle(token_digest(token), user_id)


def _handle(digest: str, user_id: str) -> str:
    return f"{digest} {user_id}"


def add_token(
    session: Session, new: NewToken, entropy: Any, *, token: str | None = None
) -> str | None:
    """Store the digest of a new token, and drop the user's expired tokens; the token.

    `token` is one that was made before. None when the user is missing or not active any more, or
    has another password. Raises TokenNameTaken.
    """
    token = token or make_token(entropy)
    # Who changes the user and ends its tokens comes before or after this, never in between. All
    # lock the user first, then its tokens.
    if not accounts.lock_active(session, new.user_id, new.proven_by):
        return None
    DROP_EXPIRED(session, {"owner": new.user_id, "now": new.created_at})
    personal = GRANT if new.granted else PERSONAL
    kind = LOGIN if new.name is None else personal
    shown = None if new.name is None else token[-LAST_PART:]
    row = asdict(new) | {"digest": token_digest(token), "kind": kind, "last_part": shown}
    del row["proven_by"], row["granted"]
    # The row count tells, and no IntegrityError: PostgreSQL would end the transaction with it.
    if ADD(session, row).rowcount != 1:
        raise TokenNameTaken(f"The user has a token of the name {new.name!r} already.")
    return token


def renew_token(session: Session, user_id: str, name: str, now: int, *, entropy: Any) -> str | None:
    """Put a new token in the place of the user's personal token of this name; the new one.

    It keeps the name, what it may skip and when it ends. None where there is no such token.
    """
    token = make_token(entropy)
    accounts.lock_account(session, user_id)
    new = {"key": token_digest(token), "now": now, "shown_part": token[-LAST_PART:]}
    renewed = RENEW(session, {"owner": user_id, "label": name, **new})
    return token if renewed.rowcount == 1 else None


def drop_named(session: Session, user_id: str, name: str) -> bool:
    """End the user's personal token of this name. False where there is none."""
    accounts.lock_account(session, user_id)
    return DROP_NAMED(session, {"owner": user_id, "label": name}).rowcount == 1


def drop_others(session: Session, user_id: str, kept: str, *, personal: bool) -> int:
    """End the user's sign-ins but the one by the token `kept`; the number of those ended.

    With `personal`, end the other personal tokens, too.
    """
    accounts.lock_account(session, user_id)
    drop = DROP_OTHERS if personal else DROP_OTHER_LOGINS
    return drop(session, {"owner": user_id, "kept": token_digest(kept)}).rowcount


def end_of(session: Opened, user_id: str, token: str) -> int | None:
    """When this sign-in of the user ends, in epoch seconds; None for one that never ends."""
    found = ENDS(session, {"owner": user_id, "key": token_digest(token)})
    return None if not found else found[0].expires_at


def list_tokens(session: Session, user_id: str, now: int) -> Sequence[Row[Any]]:
    """The live sign-ins and personal tokens of the user, oldest first, without their digests."""
    return session.execute(LIST, {"owner": user_id, "now": now}).all()


def list_personal(session: Session, user_id: str, now: int) -> Sequence[Row[Any]]:
    """The live personal tokens alone."""
    return session.execute(LIST_PERSONAL, {"owner": user_id, "now": now}).all()


def list_sign_ins(session: Session, account_id: str, now: int) -> list[SignIn]:
    """The live sign-ins and personal tokens of the account, newest first."""
    rows = SIGN_INS(session, {"owner": account_id, "now": now})
    return [
        SignIn(
            sign_in=_handle(row.digest, account_id),
            name=row.name or "",
            began_at=row.created_at,
            used_at=row.used_at,
            address=row.address or "",
            agent=row.agent or "",
        )
        for row in rows
    ]


def end_sign_in(session: Session, account_id: str, sign_in: str) -> bool:
    """End one of the account's. False when it had ended already."""
    accounts.lock_account(session, account_id)
    digest = sign_in.partition(" ")[0]
    return DROP(session, {"key": digest, "owner": account_id}).rowcount == 1


class LiveToken(NamedTuple):
    """A live token: whose it is, whether it skips the second factor, when it was made, its grant.

    `unnoted`: nothing was noted of its use for a day. The time is in epoch seconds.
    """

    account: Account
    bypasses: bool
    began_at: int
    grant: str
    unnoted: bool


def find_signed_in(session: Opened, user_id: str, token: str, now: int) -> LiveToken | None:
    """Who signs in by this token; None when it is not theirs, is over, or they are not active."""
    if not accounts.could_be_stored(user_id) or len(token) > accounts.LONGEST_NAME:
        return None
    mine = {"key": token_digest(token), "owner": user_id, "now": now}
    rows = SIGNED_IN(session, mine)
    if not rows or not rows[0].active:
        return None
    first = rows[0]
    return LiveToken(
        account=accounts.read_account(rows),
        bypasses=first.bypass_two_factor,
        began_at=first.created_at,
        grant=first.granted,
        unnoted=first.used <= now - NOTED_EVERY,
    )


def note_use(session: Opened, user_id: str, token: str, now: int) -> None:
    """Note that the token is used now."""
    NOTE_USE(session, {"key": token_digest(token), "owner": user_id, "now": now})


def find_owner(session: Session, token: str, now: int) -> str | None:
    """The id of the active user whose live token this is; None when it is nobody's."""
    owner = OWNER(session, {"key": token_digest(token), "now": now}).first()
    return owner.id if owner and owner.active else None


def lock_sign_in(session: Session, sign_in: str, now: int) -> bool:
    """Whether the token of this sign-in is live; locks it until the commit."""
    digest, _, owner = sign_in.partition(" ")
    return LOCK(session, {"key": digest, "owner": owner, "now": now}).rowcount == 1


def lock_sign_ins(session: Session, account_id: str) -> None:
    """Lock the user and every sign-in of it; no new one is made before the commit."""
    accounts.lock_account(session, account_id)
    LOCK_ALL(session, {"owner": account_id})


def remember_proof(session: Session, sign_in: str, mark: str, until: int) -> None:
    """Keep the mark of a proof beside this sign-in; see `ports.RemembersProofs`."""
    digest, _, owner = sign_in.partition(" ")
    REMEMBER(session, {"key": digest, "owner": owner, "mark": mark, "until": until})


def remembered_proof(session: Session, sign_in: str, now: int) -> str:
    """The mark that is kept beside this sign-in, and not over; else an empty text."""
    digest, _, owner = sign_in.partition(" ")
    return REMEMBERED(session, {"key": digest, "owner": owner, "now": now}).scalar() or ""


def drop_token(session: Session, user_id: str, token: str) -> bool:
    """End this one sign-in of the user. False when it had ended already, or is none."""
    if not accounts.could_be_stored(user_id):  # a cookie can say anything
        return False
    return DROP(session, {"key": token_digest(token), "owner": user_id}).rowcount == 1


def drop_tokens(session: Session, account_id: str) -> int:
    """End every sign-in and personal token of the account; the number of those ended.

    No new one is made before the commit.
    """
    # Who adds a token holds the user's row until its commit: only then can we see and drop it.
    accounts.lock_account(session, account_id)
    return DROP_ALL(session, {"owner": account_id}).rowcount


def drop_other_logins(session: Session, account_id: str, sign_in: str) -> int:
    """End every sign-in of the account but this one; the number of those ended.

    Personal tokens stay, but no proof is remembered for one any more, nor for this sign-in. No new
    sign-in is made before the commit.
    """
    accounts.lock_account(session, account_id)
    kept = sign_in.partition(" ")[0]
    FORGET(session, {"owner": account_id})
    return DROP_OTHER_LOGINS(session, {"owner": account_id, "kept": kept}).rowcount

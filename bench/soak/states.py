"""What the database holds about a person: all that the traffic changes, and nothing else."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields

from sqlalchemy import Column, ColumnElement, Connection, Select, func, not_, or_, select

from e2ereset.audit.models import AuditRow
from e2ereset.factors.models import BackupCode
from e2ereset.jobs.models import Job
from e2ereset.server.people.models import Email
from e2ereset.server.rooms.models import Subscription, Waiting
from e2ereset.server.sessions.models import Token
from e2ereset.store.tables import table
from e2ereset.vault.models import KeyPair

AUDIT, JOBS, EMAILS = table(AuditRow), table(Job), table(Email)
BACKUPS, PAIRS = table(BackupCode), table(KeyPair)
KEYS, TOKENS, WAITING = table(Subscription), table(Token), table(Waiting)
RESETS = ("reset", "nothing-to-reset")
PASSED = "passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One person's. `pair` is the public key; the rest are numbers of rows.

    `notices`, `codes` and `others` are mails queued so far; `resets` are those of this person's
    key, `empty_resets` those among them that found nothing; `refused` are this person's refusals.
    """

    pair: str | None = None
    room_keys: int = 0
    waits: int = 0
    tokens: int = 0
    backup_codes: int = 0
    resets: int = 0
    empty_resets: int = 0
    sign_ins: int = 0
    refused: int = 0
    notices: int = 0
    codes: int = 0
    others: int = 0


NAMES = tuple(field.name for field in fields(State))


def read_states(connection: Connection, people: Iterable[str]) -> dict[str, State]:
    """The state of each person of these ids."""
    ids = list(people)
    found: dict[str, dict[str, int | str | None]] = {person: {} for person in ids}
    for name, query in _counts(ids).items():
        for person, count in connection.execute(query):
            found[person][name] = count
    pairs = select(PAIRS.c.account_id, PAIRS.c.public_key).where(PAIRS.c.account_id.in_(ids))
    for person, public_key in connection.execute(pairs):
        found[person]["pair"] = public_key
    return {person: State(**values) for person, values in found.items()}  # type: ignore[arg-type]


def _counts(ids: Collection[str]) -> dict[str, Select[str, int]]:
    reset = AUDIT.c.outcome.in_(RESETS)
    refused = AUDIT.c.outcome.not_in((*RESETS, PASSED))
    notice, code = JOBS.c.kind == "key-reset", JOBS.c.kind == "code"

    def count(owner: Column[str], *where: ColumnElement[bool]) -> Select[str, int]:
        return select(owner, func.count()).where(owner.in_(ids), *where).group_by(owner)

    def mails(where: ColumnElement[bool]) -> Select[str, int]:
        return count(EMAILS.c.user_id, EMAILS.c.address == JOBS.c.recipient, where)

    return {
        "room_keys": count(KEYS.c.user_id, KEYS.c.e2e_key.is_not(None)),
        "waits": count(WAITING.c.user_id),
        "tokens": count(TOKENS.c.user_id),
        "backup_codes": count(BACKUPS.c.account_id),
        "resets": count(AUDIT.c.target, reset),
        "empty_resets": count(AUDIT.c.target, AUDIT.c.outcome == RESETS[1]),
        "sign_ins": count(AUDIT.c.caller, AUDIT.c.outcome == PASSED),
        "refused": count(AUDIT.c.caller, refused),
        "notices": mails(notice),
        "codes": mails(code),
        "others": mails(not_(or_(notice, code))),
    }


def differences(found: State, wanted: State) -> str:
    """In words, what of a state is not as it should be."""
    pairs = ((name, getattr(found, name), getattr(wanted, name)) for name in NAMES)
    return ", ".join(f"{name} is {is_!r}, not {not_!r}" for name, is_, not_ in pairs if is_ != not_)


def between(found: State, before: State, after: State) -> bool:
    """Whether each field is as before or as after."""
    return all(
        getattr(found, name) in (getattr(before, name), getattr(after, name)) for name in NAMES
    )

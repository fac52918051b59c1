"""What the tables tell: who may reset others, mails that wait, an audit log that is not sealed."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import bindparam, func, select

from e2ereset.audit.heads import BEYOND, HEAD, NEWEST, is_signed
from e2ereset.audit.rows import AUDIT
from e2ereset.crypto import KeyRing
from e2ereset.jobs.queue import IDLE, JOBS, STATE
from e2ereset.permissions import (
    EDIT_OTHER_USER_E2EE,
    GRANTS,
    PERMISSIONS,
    ROLES,
    SEED_GRANTS,
    SEED_ROLES,
)
from e2ereset.store.transactions import run

from .deployment import Subject
from .findings import Area, Check, Finding, Part

ROLES_AREA, OUTBOX_AREA, AUDIT_AREA = Area("permissions"), Area("outbox"), Area("audit")
MAIL_PATIENCE = 300
SEAL_PATIENCE = 60
"""Seconds that a due mail, and an audit row, may wait before something is wrong."""
KNOWN = select(PERMISSIONS.c.name)
HOLDERS = (
    select(ROLES.c.name, ROLES.c.rank)
    .join(GRANTS, GRANTS.c.role == ROLES.c.name)
    .where(GRANTS.c.permission == bindparam("permission"))
)
OVERDUE = select(func.count().label("late"), func.min(JOBS.c.due_at).label("oldest")).where(
    JOBS.c.due_at <= bindparam("due_by"), JOBS.c.urgency < IDLE
)
STATES = select(
    func.count().filter(STATE == "failed").label("failed"),
    func.count()
    .filter(STATE.in_(("queued", "leased")), JOBS.c.outcome.is_not(None))
    .label("retried"),
).where(JOBS.c.urgency < IDLE)
UNSEALED = select(func.count(), func.min(AUDIT.c.at)).where(AUDIT.c.position.is_(None))


@ROLES_AREA.check("permissions", "The permissions are seeded.", Part.TABLES)
def PERMITTED(subject: Subject) -> Iterator[Finding]:
    """Whether the table is seeded, and who can reset the keys of others."""
    with subject.database.connect() as connection:
        known = set(connection.scalars(KNOWN))
        holders = {
            row.name: row.rank
            for row in run(connection, HOLDERS, {"permission": EDIT_OTHER_USER_E2EE})
        }
    if not known.issuperset(SEED_GRANTS):
        yield ROLES_AREA.note(
            "permissions-unseeded",
            "The permissions are not there yet; the first reset puts them in.",
        )
        return
    common = sorted(name for name, rank in holders.items() if rank <= SEED_ROLES["user"])
    if not holders:
        yield ROLES_AREA.note(
            "reset-others-nobody",
            "No role can reset the keys of others.",
            f"e2ereset permission grant {EDIT_OTHER_USER_E2EE} admin",
        )
    elif common:
        yield ROLES_AREA.warning(
            "reset-others-everybody",
            f"{', '.join(common)} can reset the keys of others.",
            f"e2ereset permission revoke {EDIT_OTHER_USER_E2EE} {common[0]}",
        )
    else:
        yield ROLES_AREA.ok(
            "permissions", f"{', '.join(sorted(holders))} can reset the keys of others."
        )


@OUTBOX_AREA.check("outbox", "No mail waits or has failed.", Part.TABLES, Part.SETTINGS)
def QUEUED(subject: Subject) -> Iterator[Finding]:
    """Mails that nobody picks up, that are tried again, or were given up."""
    now = int(subject.clock())
    with subject.database.connect() as connection:
        due = run(connection, OVERDUE, {"due_by": now - MAIL_PATIENCE}).one()
        mails = run(connection, STATES).one()
    if due.late:
        yield OUTBOX_AREA.error(
            "outbox-late",
            f"{due.late} mails are due and nobody delivers them, the oldest for"
            f" {_ago(now - due.oldest)}.",
            _deliverer(subject),
        )
    if mails.retried:
        yield OUTBOX_AREA.warning(
            "outbox-retried",
            f"{mails.retried} mails were refused and are tried again.",
            "See why: e2ereset outbox list",
        )
    if mails.failed:
        yield OUTBOX_AREA.warning(
            "outbox-failed", f"{mails.failed} mails were given up.", "See why: e2ereset outbox list"
        )


@AUDIT_AREA.check("audit", "The audit log is sealed up to now.", Part.TABLES, Part.SETTINGS)
def SEALED(subject: Subject) -> Iterator[Finding]:
    """Rows that wait for a sealer, and a head on which none can build."""
    now = int(subject.clock())
    with subject.database.connect() as connection:
        waiting, oldest = connection.execute(UNSEALED).one()
        head = connection.execute(NEWEST).first()
        beyond, _ = connection.execute(BEYOND).one()
    if beyond or (head and not is_signed(KeyRing(subject.known.secret_keys), HEAD, head)):
        yield AUDIT_AREA.error(
            "audit-broken",
            "The end of the audit log is not as it was sealed: nothing is sealed any more.",
            "Run `e2ereset audit verify`.",
        )
    elif waiting and now - oldest > SEAL_PATIENCE:
        yield AUDIT_AREA.error(
            "audit-unsealed",
            f"{waiting} audit rows are not sealed, the oldest for {_ago(now - oldest)}.",
            _deliverer(subject),
        )
    elif head:
        yield AUDIT_AREA.ok(
            "audit", f"The newest head seals {head.size} rows, and is {_ago(now - head.at)} old."
        )


def _deliverer(subject: Subject) -> str:
    command = "Keep `e2ereset outbox deliver` running"
    if subject.known.delivery == "process":
        return f"{command}, or E2ERESET_DELIVERY = 'thread'"
    return f"{command}, or see why the workers are not running."


def _ago(seconds: int) -> str:
    for length, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{max(0, seconds)} seconds"


CHECKS: tuple[Check, ...] = (PERMITTED, QUEUED, SEALED)

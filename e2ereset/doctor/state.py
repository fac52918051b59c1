"""What the tables tell: who may reset others, mails that wait, an audit log that is not sealed."""

from collections.abc import Iterator

from sqlalchemy import bindparam, func, select

from e2ereset.audit.heads import BEYOND, HEAD, NEWEST, is_signed
from e2ereset.audit.rows import AUDIT
from e2ereset.crypto import KeyRing
from e2ereset.jobs.queue import FAILED, IDLE, JOBS, STATE
from e2ereset.permissions.service import (
    EDIT_OTHER_USER_E2EE,
    GRANTS,
    PERMISSIONS,
    ROLES,
    SEED_GRANTS,
    SEED_ROLES,
)
from e2ereset.store.transactions import run

from .deployment import Deployment
from .findings import Finding, Part, check, found

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
    func.count().filter(STATE == FAILED).label("failed"),
    func.count()
    .filter(STATE.in_(("queued", "leased")), JOBS.c.outcome.is_not(None), JOBS.c.urgency < IDLE)
    .label("retried"),
)
UNSEALED = select(func.count(), func.min(AUDIT.c.at)).where(AUDIT.c.position.is_(None))


@check("permissions", "permissions", "The permissions are seeded.", Part.TABLES)
def permitted(app: Deployment) -> Iterator[Finding | str]:
    """Whether the table is seeded, and who can reset the keys of others."""
    of = {"permission": EDIT_OTHER_USER_E2EE}
    with app.database.connect() as connection:
        known = set(connection.scalars(KNOWN))
        holders = {row.name: row.rank for row in run(connection, HOLDERS, of)}
    common = sorted(name for name, rank in holders.items() if rank <= SEED_ROLES["user"])
    if not known.issuperset(SEED_GRANTS):
        yield found("permissions-unseeded")
    elif not holders:
        yield found("reset-others-nobody", **of)
    elif common:
        yield found("reset-others-everybody", roles=", ".join(common), first=common[0], **of)
    else:
        yield f"{', '.join(sorted(holders))} can reset the keys of others."


@check("outbox", "outbox", "No mail waits or has failed.", Part.TABLES, Part.SETTINGS)
def queued(app: Deployment) -> Iterator[Finding]:
    """Mails that nobody picks up, that are tried again, and all jobs that were given up."""
    now = int(app.clock())
    with app.database.connect() as connection:
        due = run(connection, OVERDUE, {"due_by": now - MAIL_PATIENCE}).one()
        mails = run(connection, STATES).one()
    if due.late:
        age = _ago(now - due.oldest)
        yield found("outbox-late", late=due.late, age=age, deliverer=_deliverer(app))
    if mails.retried:
        yield found("outbox-retried", count=mails.retried)
    if mails.failed:
        yield found("outbox-failed", count=mails.failed)


@check("audit", "audit", "The audit log is sealed up to now.", Part.TABLES, Part.SETTINGS)
def sealed(app: Deployment) -> Iterator[Finding | str]:
    """Rows that wait for the sealer, and a head on which none can build."""
    now = int(app.clock())
    with app.database.connect() as connection:
        waiting, oldest = connection.execute(UNSEALED).one()
        head = connection.execute(NEWEST).first()
        beyond, _ = connection.execute(BEYOND).one()
    if beyond or (head and not is_signed(KeyRing(app.known.secret_keys), HEAD, head)):
        yield found("audit-broken")
    elif waiting and now - oldest > SEAL_PATIENCE:
        age = _ago(now - oldest)
        yield found("audit-unsealed", count=waiting, age=age, deliverer=_deliverer(app))
    elif head:
        yield f"The newest head seals {head.size} rows, and is {_ago(now - head.at)} old."


def _deliverer(app: Deployment) -> str:
    by_process = app.known.delivery == "process"
    other = "E2ERESET_DELIVERY = 'thread'" if by_process else "see why the workers are not running."
    return f"Keep `e2ereset outbox deliver` running, or {other}"


def _ago(seconds: int) -> str:
    for length, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{max(0, seconds)} seconds"

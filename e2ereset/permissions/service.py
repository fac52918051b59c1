"""The role-permission table, which is read on every request that needs it."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, exists, func, select, update
from sqlalchemy.orm import Session

from e2ereset.errors import E2EResetError, MissingPermission
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table
from e2ereset.store.transactions import DatabaseEpoch, Transactions, run

from .models import Permission, Role, RolePermission

EDIT_OTHER_USER_E2EE = "edit-other-user-e2ee"
EDIT_OTHER_USER_TOTP = "edit-other-user-totp"
UNLOCK_OTHER_USER_FACTOR = "unlock-other-user-factor"

SEED_ROLES = {"admin": 100, "user": 10, "bot": 10, "app": 10, "guest": 0}
SEED_GRANTS = {
    EDIT_OTHER_USER_E2EE: ("admin",),
    EDIT_OTHER_USER_TOTP: ("admin",),
    UNLOCK_OTHER_USER_FACTOR: ("admin",),
}

ROLES, PERMISSIONS, GRANTS = table(Role), table(Permission), table(RolePermission)

ALLOWS = select(
    exists().where(
        GRANTS.c.permission == bindparam("permission"),
        GRANTS.c.role.in_(bindparam("roles", expanding=True)),
    )
)
ALL_RANKS = select(ROLES.c.name, ROLES.c.rank)
RANKS = ALL_RANKS.where(ROLES.c.name.in_(bindparam("roles", expanding=True)))
TOP_RANK = select(func.coalesce(func.max(ROLES.c.rank), 0))
REVOKE = delete(GRANTS).where(
    GRANTS.c.permission == bindparam("p"), GRANTS.c.role == bindparam("r")
)
GRANT = Statement(lambda insert: insert(GRANTS).on_conflict_do_nothing())
TOUCH = Statement(
    update(PERMISSIONS)
    .where(PERMISSIONS.c.name == bindparam("p"))
    .values(updated_at=DatabaseEpoch())
)
ADD_ROLE = Statement(lambda insert: insert(ROLES).on_conflict_do_nothing())
ADD_PERMISSION = Statement(lambda insert: insert(PERMISSIONS).on_conflict_do_nothing())


class UnknownName(E2EResetError):
    """No role or permission has this name; the text lists the known names."""


class Permissions:
    """The role-permission table of one app. A change counts from the next request on."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._seeded = False

    def allows(self, session: Session, roles: Sequence[str], permission: str) -> bool:
        """Whether one of the roles holds the permission."""
        return bool(session.scalar(ALLOWS, {"permission": permission, "roles": list(roles)}))

    def allow_now(self, roles: Sequence[str], permission: str) -> bool:
        """`allows`, outside of any transaction: for the gates of a route."""
        self.seed_once()
        with self._transactions.look_up() as session:
            return self.allows(session, roles, permission)

    def require(self, session: Session, roles: Sequence[str], *permissions: str) -> None:
        """Raise MissingPermission unless the roles hold all of these permissions."""
        if not all(self.allows(session, roles, one) for one in permissions):
            raise MissingPermission()

    def outranks(
        self, session: Session, roles: Sequence[str], others: Sequence[str], *, peers: bool
    ) -> bool:
        """Whether the highest of `roles` ranks above all of `others`; with `peers`, at least equal.

        An unknown role ranks lowest in `roles`, and highest in `others`.
        """
        ranks = session.execute(RANKS, {"roles": [*roles, *others]})
        known = {row.name: row.rank for row in ranks}
        top = session.scalar(TOP_RANK) or 0
        own = max((known.get(role, 0) for role in roles), default=0)
        theirs = max((known.get(role, top) for role in others), default=0)
        return own >= theirs if peers else own > theirs

    def below(self, session: Session, roles: Sequence[str], *, peers: bool) -> list[str] | None:
        """The roles that the highest of `roles` outranks, as `outranks` tells, sorted.

        None for all, also unknown ones.
        """
        known = {row.name: row.rank for row in session.execute(ALL_RANKS)}
        own = max((known.get(role, 0) for role in roles), default=0) - (not peers)
        if own >= max(known.values(), default=0):
            return None
        return sorted(name for name, rank in known.items() if rank <= own)

    def grant(self, session: Session, permission: str, role: str) -> bool:
        """Give the permission to the role. False when the role holds it already."""
        self._check(session, permission, role)
        granted = GRANT(session, {"permission": permission, "role": role}).rowcount > 0
        return granted and TOUCH(session, {"p": permission}).rowcount > 0

    def revoke(self, session: Session, permission: str, role: str) -> bool:
        """Take the permission from the role. False when the role does not hold it."""
        self._check(session, permission, role)
        revoked = run(session, REVOKE, {"p": permission, "r": role}).rowcount > 0
        return revoked and TOUCH(session, {"p": permission}).rowcount > 0

    def rows(self, session: Session) -> list[tuple[str, str]]:
        """All pairs (permission, role), sorted."""
        query = select(GRANTS.c.permission, GRANTS.c.role).order_by(*GRANTS.c)
        return [(row.permission, row.role) for row in session.execute(query)]

    def seed_once(self) -> None:
        """Seed the table at its first use in this process, as a host's migrations may not do it."""
        if not self._seeded:
            with self._transactions.begin() as session:
                seed(session.connection())
            self._seeded = self._transactions.lasting

    @staticmethod
    def _check(session: Session, permission: str, role: str) -> None:
        for kind, names, wanted in (
            ("permission", PERMISSIONS.c.name, permission),
            ("role", ROLES.c.name, role),
        ):
            known = list(session.scalars(select(names).order_by(names)))
            if wanted not in known:
                raise UnknownName(f"There is no {kind} {wanted!r}. Known: {', '.join(known)}.")


def seed(
    connection: Connection,
    roles: Mapping[str, int] = SEED_ROLES,
    grants: Mapping[str, Sequence[str]] = SEED_GRANTS,
) -> None:
    """Add the missing roles (with their ranks), permissions and grants.

    A grant is only added together with its permission, so a grant that an administrator revoked
    stays revoked. It can run again, and in several processes at once.
    """
    known = set(connection.scalars(select(PERMISSIONS.c.name)))
    if known.issuperset(grants):
        return
    for name, rank in roles.items():
        ADD_ROLE(connection, {"name": name, "rank": rank})
    for permission in grants.keys() - known:
        if ADD_PERMISSION(connection, {"name": permission}).rowcount:
            for role in grants[permission]:
                GRANT(connection, {"permission": permission, "role": role})

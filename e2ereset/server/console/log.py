"""Who helped whom: the audit log as the people of the help desk read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from sqlalchemy.orm import Session

from e2ereset import Caller, Runtime, audit
from e2ereset.server.people.accounts import find_account, usernames
from e2ereset.server.people.directory import VIEW_ALL
from e2ereset.server.people.service import known_roles
from e2ereset.server.roles.service import bound

PAGE = 20
HELPS = (
    *("reset-e2e-key", "reset-totp", "unlock-factor", "add-user", "update-user", "delete-user"),
    *("disable-user", "enable-user", "change-roles", "change-email", "change-profile"),
    *("rename-user", "set-password", "verify-email", "end-tokens", "add-token"),
    *("enable-totp", "disable-totp", "new-backup-codes", "disable-passkey"),
    *("enable-email-codes", "disable-email-codes", "hold-resets", "lift-reset-hold"),
)
"""The acts on accounts that one, or an operator, can do for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows: of this caller and to this target, by username or id; of this act. Empty: all."""

    caller: str = ""
    target: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class HelpLog:
    """Reads who did what to whom, as the audit rows tell it, refused acts too."""

    runtime: Runtime

    def page(self, caller: Caller, wanted: Wanted, before: str) -> tuple[list[dict[str, Any]], str]:
        """The newest rows before the one of this uid, newest first; the uid to go on from.

        `who` and `whom` are usernames, or what the row has where there is no such user. Raises
        MissingPermission unless the caller holds `view-full-other-user-info`.
        """
        permissions = self.runtime.permissions
        permissions.seed_once()
        with self.runtime.transactions.read() as session:
            permissions.require(session, caller.account.roles, VIEW_ALL)
            rows = audit.helped(
                session,
                PAGE + 1,
                caller=_id_of(session, wanted.caller),
                targets=_targets(session, wanted.target),
                actions=(wanted.action,) if wanted.action in HELPS else HELPS,
                before=before,
            )
            shown = rows[:PAGE]
            ids = {row[one].partition(":")[0] for row in shown for one in ("caller", "target")}
            names = usernames(session, ids)
        events = [
            {
                **row,
                "who": names.get(row["caller"], row["caller"]),
                "whom": _whom(row["target"], names),
            }
            for row in shown
        ]
        return events, shown[-1]["uid"] if len(rows) > PAGE else ""


def _id_of(session: Session, name: str) -> str:
    """The id of the user of this name; the name itself for whoever is no user, or not any more."""
    found = find_account(session, name) if name else None
    return found.id if found else name


def _targets(session: Session, name: str) -> list[str]:
    """What is done to the user of this name: also each role that was to be given or taken."""
    if not name:
        return []
    user_id = _id_of(session, name)
    changes = product(known_roles(session), (True, False))
    return [user_id, *(bound(user_id, role, given=given) for role, given in changes)]


def _whom(target: str, names: Mapping[str, str]) -> str:
    """The user of a row in words, with the role that was to be given or taken."""
    user_id, _, change = target.partition(":")
    return f"{names[user_id]} {change}".rstrip() if user_id in names else target

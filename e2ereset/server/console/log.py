"""Who helped whom: the audit log as the people of the help desk read it."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from e2ereset import Caller, Runtime, audit
from e2ereset.server.people.accounts import find_account, usernames
from e2ereset.server.people.directory import VIEW_ALL

PAGE = 20
UID = re.compile(r"[0-9a-f]{32}")
HELPS = (
    *("reset-e2e-key", "reset-totp", "unlock-factor", "add-user", "update-user", "delete-user"),
    *("disable-user", "enable-user", "change-roles", "change-email", "change-profile"),
    *("rename-user", "set-password", "verify-email", "end-tokens"),
)
"""The acts on accounts that one can do for others."""


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
                target=_id_of(session, wanted.target),
                actions=(wanted.action,) if wanted.action in HELPS else HELPS,
                before=before if UID.fullmatch(before) else "",
            )
            shown = rows[:PAGE]
            names = usernames(session, {row[one] for row in shown for one in ("caller", "target")})
        events = [
            {
                **row,
                "who": names.get(row["caller"], row["caller"]),
                "whom": names.get(row["target"], row["target"]),
            }
            for row in shown
        ]
        return events, shown[-1]["uid"] if len(rows) > PAGE else ""


def _id_of(session: Session, name: str) -> str:
    """The id of the user of this name; the name itself for whoever is no user, or not any more."""
    found = find_account(session, name) if name else None
    return found.id if found else name

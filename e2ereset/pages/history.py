"""What was done to an account, or by it, in words: the audit log as its owner reads it."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from e2ereset import audit
from e2ereset.audit import outsiders
from e2ereset.languages.words import N_, Words
from e2ereset.records import Account
from e2ereset.runtime import Runtime

PAGE = 20
"""How many events a page shows."""
OPERATOR = "operator:"
PASSKEY = re.compile(r"[0-9a-f]{64}")
ACTIONS = {
    "add-bypass-token": N_("Make a personal access token that skips the second factor"),
    "add-grant": N_("Make a grant for a machine"),
    "add-role": N_("Make a role"),
    "add-token": N_("Make a personal access token"),
    "add-user": N_("Make an account"),
    "ask-for-room-keys": N_("Ask for the keys of rooms"),
    "begin-passkey": N_("Begin to add a passkey"),
    "begin-totp": N_("Begin to set up the authenticator app"),
    "change-email": N_("Change an e-mail address"),
    "change-profile": N_("Change the profile"),
    "change-roles": N_("Change roles"),
    "create-room": N_("Make a room"),
    "delete-room": N_("Delete a room"),
    "delete-user": N_("Delete an account"),
    "disable-email-codes": N_("Switch off codes by e-mail"),
    "disable-passkey": N_("Remove a passkey"),
    "disable-totp": N_("Switch off the authenticator app"),
    "disable-user": N_("Disable an account"),
    "enable-email-codes": N_("Switch on codes by e-mail"),
    "enable-passkey": N_("Add a passkey"),
    "enable-totp": N_("Switch on the authenticator app"),
    "enable-user": N_("Enable an account"),
    "end-grant": N_("End a grant for a machine"),
    "end-other-sign-ins": N_("End all other sign-ins"),
    "end-other-tokens": N_("End all other sign-ins"),
    "end-sign-in": N_("End a sign-in or a token"),
    "end-tokens": N_("End all sign-ins and tokens"),
    "grant-permission": N_("Give a permission to a role"),
    "hold-resets": N_("End all sign-ins, and hold resets of the key"),
    "invite-to-room": N_("Invite to a room"),
    "leave-room": N_("Leave a room"),
    "lift-reset-hold": N_("Lift the hold on resets of the key"),
    "lock-factor": N_("Lock a factor after too many wrong tries"),
    "login": N_("Sign in"),
    "look-at-page": N_("Look at a page"),
    "new-backup-codes": N_("Make new backup codes"),
    "regenerate-token": N_("Make a personal access token anew"),
    "remove-from-room": N_("Remove from a room"),
    "remove-token": N_("End a personal access token"),
    "rename-passkey": N_("Rename a passkey"),
    "rename-user": N_("Change the username"),
    "replace-e2e-key": N_("Replace the key"),
    "reset-e2e-key": N_("Reset the key"),
    "reset-room-key": N_("Start a new key of a room"),
    "reset-totp": N_("Reset the authenticator app"),
    "revoke-permission": N_("Take a permission from a role"),
    "set-e2e-keys": N_("Store the key"),
    "set-password": N_("Set a new password"),
    "unlock-factor": N_("Unlock the factors"),
    "update-own-account": N_("Change the account"),
    "update-user": N_("Change the account"),
    "verify-email": N_("Verify an e-mail address"),
}
DONE = ("done", "passed", "reset", "unlocked", "locked", "wrapped-anew", "held", "lifted", "asked")
CHANGES = {
    "added": N_("Added: %(what)s."),
    "removed": N_("Removed: %(what)s."),
    "ended": N_("Ended: %(what)s."),
}
"""What begins an outcome that names what was changed, such as `added admin, removed bot`."""
OUTCOMES = {
    **dict.fromkeys((*DONE, "added", "changed", "removed", "verified"), N_("Done.")),
    "not verified any more": N_("Done: the address is not verified any more."),
    "nobody-to-ask": N_("There was nobody to ask."),
    "code-shown": N_("A code for it was shown, after a proof by a passkey."),
    "nothing-to-reset": N_("Done: there was nothing to reset."),
    "nothing-to-unlock": N_("Done: nothing was locked."),
    "totp-required": N_("A proof was asked for."),
    "totp-invalid": N_("Refused: the code or the password was wrong."),
    "totp-max-attempts": N_("Refused: too many tries."),
    "error-too-many-requests": N_("Refused: too many requests."),
}
REFUSED = ("unauthorized", "not-authorized", "invalid-totp", "invalid-params", "user-last-owner")
PROOFS = {
    "bypass": N_("a token that skips the proof"),
    "email": N_("a code by e-mail"),
    "passkey": N_("a passkey"),
    "password": N_("the password"),
    "remembered": N_("an earlier proof of the same sign-in"),
    "totp": N_("the authenticator app"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A row of the audit log, in the reader's language. `at` is in epoch seconds.

    `uid` names the row, and `sealed` says whether there is a receipt for it yet.
    """

    uid: str
    at: int
    what: str
    outcome: str
    who: str
    target: str
    proof: str
    address: str
    agent: str
    reason: str
    sealed: bool


@dataclass(frozen=True, slots=True)
class History:
    """Reads what was done to the accounts of one app."""

    runtime: Runtime

    def page(self, account: Account, before: str, words: Words) -> tuple[list[Event], str]:
        """The newest events of the account before this one; what to go on from, empty at the end.

        `before` is the uid of an event, empty for the newest page.
        """
        with self.runtime.transactions.look_up() as session:
            rows = audit.about(session, account.id, PAGE + 1, before=before)
        shown = rows[:PAGE]
        names = self._names(account, shown)
        events = [_event(row, account, names, words) for row in shown]
        return events, shown[-1]["uid"] if len(rows) > PAGE else ""

    def receipt(self, account: Account, uid: str) -> dict[str, Any] | None:
        """The receipt of an event of the account; None for one of others, and while it waits."""
        runtime = self.runtime
        if not audit.UID.fullmatch(uid):
            return None
        with runtime.transactions.read() as session, suppress(outsiders.NoReceipt):
            if audit.about(session, account.id, 1, uid=uid):
                origin = runtime.settings.audit_origin
                return outsiders.receipt(session, runtime.keyring, origin, uid)
        return None

    def _names(self, account: Account, rows: list[dict[str, Any]]) -> dict[str, str]:
        """The usernames of the others in these rows, by id.

        Only of those whom the reader has acted on, or who acted on the reader.
        """
        ids = {row["caller"] for row in rows}
        ids |= {row["target"] for row in rows if row["action"] in ACTIONS and _is_done(row)}
        found = {account.id: account.username}
        for one in sorted(ids - {"", account.id}):
            # A session for each, as the host may take no such text, and spoil it.
            with suppress(Exception), self.runtime.transactions.look_up() as session:
                if other := self.runtime.accounts.get(session, one):
                    found[one] = other.username
        return found


def _is_done(row: dict[str, Any]) -> bool:
    outcome = row["outcome"]
    return outcome in DONE or outcome.partition(" ")[0] in CHANGES


def proven_by(method: str, t: Callable[..., str]) -> str:
    """What proved an act, in words; empty where nothing had to."""
    return t(PROOFS.get(method, method)) if method != "off" else ""


def told(outcome: str, t: Callable[..., str]) -> str:
    """What came of an act, in words; as it is where none are known."""
    if outcome in OUTCOMES:
        return t(OUTCOMES[outcome])
    if outcome.startswith("error-") or outcome in REFUSED:
        return t("Refused.")
    parts = [one.partition(" ") for one in outcome.split(", ")]
    if all(what and word in CHANGES for word, _, what in parts):
        return " ".join(t(CHANGES[word], what=what) for word, _, what in parts)
    return outcome


def _event(row: dict[str, Any], account: Account, names: dict[str, str], t: Words) -> Event:
    action = row["action"]
    return Event(
        uid=row["uid"],
        at=row["epoch"],
        what=t(ACTIONS[action]) if action in ACTIONS else _other(action, t),
        outcome=told(row["outcome"], t),
        who=_who(row["caller"], account, names, t),
        target=_target(row["target"], account, names),
        proof=proven_by(row["method"], t),
        address=row["address"],
        agent=t.program(row["agent"]) if row["agent"] else "",
        reason=row["reason"],
        sealed=row["position"] is not None,
    )


def _other(action: str, t: Callable[..., str]) -> str:
    return t("Other act: %(name)s", name=action.replace("-", " "))


def _who(caller: str, account: Account, names: dict[str, str], t: Callable[..., str]) -> str:
    if caller == account.id:
        return t("You")
    if caller.startswith(OPERATOR):
        return t("An operator of the server (%(name)s)", name=caller.removeprefix(OPERATOR))
    return names.get(caller) or t("Somebody whose account is gone")


def _target(target: str, account: Account, names: dict[str, str]) -> str:
    """Whom or what it was done to; empty where that is the reader, or has no name to be read."""
    part = target.removeprefix(f"{account.id}:")
    if target == account.id or (part != target and PASSKEY.fullmatch(part)):
        return ""
    whom, colon, what = part.partition(":")
    if colon and whom in names:  # a role that somebody was to get or to lose
        return f"{names[whom]} {what}"
    return names.get(target, part)

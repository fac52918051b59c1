"""What people do with their own sign-ins and personal tokens, where their host lists them."""

from dataclasses import dataclass, replace
from typing import cast

from e2ereset.ports import EndsOtherSessions, ListsSignIns
from e2ereset.records import Action, ActionRequest, Caller, Passed, SignIn
from e2ereset.runtime import Runtime

END, END_OTHERS = "end-sign-in", "end-other-sign-ins"
KEY = "sign-in on a page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A sign-in on the page. `key` names it there, as its handle may be secret."""

    facts: SignIn
    key: str
    is_this: bool


@dataclass(frozen=True, slots=True)
class SignIns:
    """The use cases. None is behind the second factor: to end a sign-in gives nobody anything.

    The owner is told by mail, and each call leaves an audit row.
    """

    runtime: Runtime

    @property
    def lists(self) -> bool:
        """Whether the host lists sign-ins."""
        return isinstance(self.runtime.accounts, ListsSignIns)

    @property
    def ends_others(self) -> bool:
        """Whether the host can end all but one."""
        return isinstance(self.runtime.accounts, EndsOtherSessions)

    def owned(self, caller: Caller, now: int) -> list[Shown]:
        """The caller's, before personal tokens; the one in use comes first."""
        if not self.lists:
            return []
        accounts = cast(ListsSignIns, self.runtime.accounts)
        with self.runtime.transactions.look_up() as session:
            found = list(accounts.list_sign_ins(session, caller.account.id, now))
        digest = self.runtime.keyring.digest
        shown = [
            Shown(facts=one, key=digest(KEY, one.sign_in), is_this=one.sign_in == caller.sign_in)
            for one in found
        ]
        return sorted(shown, key=lambda one: (bool(one.facts.name), not one.is_this))

    def end(self, asked: ActionRequest, key: str) -> bool:
        """End the caller's sign-in or token of this key. False when it had ended already."""
        accounts, account = cast(ListsSignIns, self.runtime.accounts), asked.caller.account

        def block(passed: Passed) -> bool:
            """Find it among those that are live, and end it."""
            for one in accounts.list_sign_ins(passed.session, account.id, asked.now):
                if self.runtime.keyring.matches(key, KEY, one.sign_in):
                    words = f"The personal access token {one.name} was ended"
                    self._tell(passed, asked, words if one.name else "A sign-in was ended")
                    return bool(accounts.end_sign_in(passed.session, account.id, one.sign_in))
            return False

        return self.runtime.stepup.run(_for(asked, END), block, outcome="done")

    def end_others(self, asked: ActionRequest) -> int:
        """End the caller's sign-ins but the one in use; how many. Personal tokens stay."""
        accounts, caller = cast(EndsOtherSessions, self.runtime.accounts), asked.caller

        def block(passed: Passed) -> int:
            """End them."""
            account_id = caller.account.id
            ended = accounts.end_other_sessions(passed.session, account_id, caller.sign_in)
            if ended:
                self._tell(passed, asked, "All your sign-ins but the one in use were ended")
            return ended

        return self.runtime.stepup.run(_for(asked, END_OTHERS), block, outcome="done")

    def _tell(self, passed: Passed, asked: ActionRequest, words: str) -> None:
        account, tell = passed.caller.account, self.runtime.mail_change
        tell(passed.session, account, words, now=asked.now, by=asked.caller)


def _for(asked: ActionRequest, name: str) -> ActionRequest:
    return replace(asked, action=Action(name=name, target=asked.caller.account.id), proven=False)

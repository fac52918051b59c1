"""Ending sign-ins: all of an account, or all but the one that is used."""

from dataclasses import dataclass, replace

from e2ereset import Account, Action, Runtime
from e2ereset.errors import Forbidden, NotAllowed
from e2ereset.records import ActionRequest, Passed
from e2ereset.server.people import accounts

from .tokens import drop_others, drop_tokens, end_of

PERMISSION = "logout-other-user"
END_ALL, END_OTHERS = "end-tokens", "end-other-tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOuts:
    """The use cases of ending sign-ins. None is behind the second factor, as in the reference.

    Who loses a sign-in is told by mail, and each call leaves an audit row.
    """

    runtime: Runtime

    def end_all(self, asked: ActionRequest, user_id: str | None) -> str:
        """End all sign-ins and personal tokens of the user, or of the caller; whose they were.

        Raises Forbidden for somebody else's without the permission, and NotAllowed where the user
        outranks the caller, or for the token of a grant.
        """
        target = asked.caller.account.id if user_id is None else user_id
        asked = _for(asked, END_ALL, target)

        def block(passed: Passed) -> str:
            """Act as of now."""
            owner = self._owner(passed, target)
            if owner and drop_tokens(passed.session, owner.id):
                words = "All your sign-ins and personal access tokens were ended"
                self._tell(passed, owner, asked, words)
            return target

        return self.runtime.stepup.run(asked, block, outcome="done")

    def end_others(self, asked: ActionRequest, kept: str, *, personal: bool) -> int | None:
        """End the caller's sign-ins but the one by the token `kept`; when that one ends itself.

        In epoch seconds; None where it never does. With `personal`, end the other personal access
        tokens, too.
        """
        account = asked.caller.account
        asked = _for(asked, END_OTHERS, account.id)

        def block(passed: Passed) -> int | None:
            """Act as of now."""
            session = passed.session
            if drop_others(session, account.id, kept, personal=personal):
                also = " and personal access tokens" if personal else ""
                words = f"All your sign-ins{also} but the one in use were ended"
                self._tell(passed, passed.caller.account, asked, words)
            return end_of(session, account.id, kept)

        return self.runtime.stepup.run(asked, block, outcome="done")

    def _tell(self, passed: Passed, owner: Account, asked: ActionRequest, words: str) -> None:
        tell = self.runtime.mail_change
        tell(passed.session, owner, words, now=asked.now, by=asked.caller)

    def _owner(self, passed: Passed, target: str) -> Account | None:
        """The account of this id, if the caller may end its sign-ins; None for an unknown one."""
        session, caller = passed.session, passed.caller.account
        if target == caller.id:
            return caller
        permissions = self.runtime.permissions
        if not permissions.allows(session, caller.roles, PERMISSION):
            raise Forbidden()
        if passed.caller.grant:  # from anywhere, as often as it likes: no limit of a grant holds
            raise NotAllowed("The token of a grant ends nobody else's sign-ins")
        owner = accounts.get_account(session, target)
        peers = self.runtime.settings.peer_resets
        if owner and not permissions.outranks(session, caller.roles, owner.roles, peers=peers):
            raise NotAllowed()
        return owner


def _for(asked: ActionRequest, action: str, target: str) -> ActionRequest:
    return replace(asked, action=Action(name=action, target=target), proven=False)

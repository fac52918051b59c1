"""Acts of a caller on accounts: the caller is read again in the transaction of the act."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from sqlalchemy.orm import Session

from e2ereset import Account, Refusal, Runtime
from e2ereset.errors import NotAllowed, UnknownTarget
from e2ereset.records import ActionRequest, Passed, TargetName

from .accounts import find_named
from .acts import Change
from .new_passwords import WeakPassword
from .refusals import Undone, as_refusal

T = TypeVar("T")


def run_act(
    runtime: Runtime,
    asked: ActionRequest,
    block: Callable[[Passed], T],
    *,
    target: str | None = None,
    proven: bool = False,
) -> T:
    """Run the block in a transaction, `proven` by the caller's second factor; what it returns.

    The block writes the audit rows of what it does. A Refusal in it is committed, and one within
    `undoing` rolls everything back; both have an audit row, with the `target` that was named,
    where the action of the request has none. Raises NotAllowed for the token of a grant, where no
    proof is asked for: it could make another administrator, whom no limit holds.
    """
    if target is not None:
        asked = replace(asked, action=replace(asked.action, target=target))
    if asked.caller.grant and not proven:
        refusal = NotAllowed("The token of a grant changes no account, role or permission")
        runtime.traces.note_refusal(asked, refusal)
        raise refusal
    try:
        return runtime.stepup.run(replace(asked, proven=proven), block, outcome="")
    except Undone as fault:
        runtime.traces.note_refusal(asked, fault.refusal)
        raise fault.refusal from None


def rehearse(runtime: Runtime, asked: ActionRequest, block: Callable[[Passed], object]) -> None:
    """Raise what `run_act` would refuse after the proof, before anybody is asked for one.

    The block runs in a transaction that is undone. A request that brings its proof goes without.
    """

    def once() -> None:
        """Run the block, and undo it."""
        with runtime.transactions.begin_many(dry=True) as begin, begin() as session:
            block(Passed(session=session, method="", caller=asked.caller))

    if asked.proof.code is not None:
        return
    try:
        with noting(runtime, asked):
            runtime.transactions.retry_deadlocks(once)
    except Undone as fault:
        runtime.traces.note_refusal(asked, fault.refusal)
        raise fault.refusal from None


@contextmanager
def noting(runtime: Runtime, asked: ActionRequest) -> Iterator[None]:
    """Write the audit row of a refusal in the block, which comes before the transaction."""
    try:
        yield
    except (Refusal, WeakPassword) as fault:
        refusal = as_refusal(fault)
        runtime.traces.note_refusal(asked, refusal)
        raise refusal from None


def change_of(runtime: Runtime, passed: Passed, target: Account) -> Change:
    """The caller's change of this account."""
    return Change(
        runtime=runtime,
        by=passed.caller,
        method=passed.method if passed.method != "off" else "",
        account=target,
        session=passed.session,
    )


def find_target(session: Session, named: TargetName) -> Account:
    """The account that is named. Raises UnknownTarget."""
    found = find_named(session, named)
    if found is None:
        raise UnknownTarget()
    return found


def check_roles(runtime: Runtime, passed: Passed, roles: Sequence[str]) -> None:
    """Raise NotAllowed where one of these roles outranks the caller's highest."""
    outranks, mine = runtime.permissions.outranks, passed.caller.account.roles
    if not outranks(passed.session, mine, roles, peers=True):
        raise NotAllowed()


def check_target(runtime: Runtime, passed: Passed, target: Account) -> None:
    """Raise NotAllowed where the target is somebody else whom the caller may not act on."""
    outranks, mine = runtime.permissions.outranks, passed.caller.account
    peers = runtime.settings.peer_resets
    if target.id != mine.id and not outranks(passed.session, mine.roles, target.roles, peers=peers):
        raise NotAllowed()

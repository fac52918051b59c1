"""What the library keeps of an account, for a host that deletes one."""

from sqlalchemy import bindparam, delete
from sqlalchemy.orm import Session

from e2ereset.store.tables import Base
from e2ereset.store.transactions import run

DROP_ALL = [
    delete(table).where(table.c.account_id == bindparam("account"))
    for table in Base.metadata.sorted_tables
    if "account_id" in table.c
]


def forget(session: Session, account_id: str) -> None:
    """Drop factors, codes, budgets and the key pair of the account; audit rows stay.

    In the transaction that deletes the account, or after it.
    """
    for statement in DROP_ALL:
        run(session, statement, {"account": account_id})

"""Our transactions, as the host's listeners see them."""

from contextlib import suppress

import pytest
from sqlalchemy import event, func, insert, select
from sqlalchemy.orm import Session

from e2ereset.permissions.models import Role
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table
from e2ereset.store.transactions import Transactions
from tests.kit.databases import only_postgresql

GUIDE = {"name": "guide", "rank": 7}
ADD = Statement(insert(table(Role)))
TENANT = Statement(select(func.current_setting("app.tenant", True)))


@pytest.fixture
def engine(engine):
    """One that has connected: only then look-ups may commit by themselves."""
    engine.connect().close()
    return engine


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("uses_session", [False, True])
def test_who_listens_for_a_commit_is_told_after_it(engine, by_class, uses_session):
    seen = []

    def look(_session):
        with engine.connect() as other:
            seen.append(other.scalar(select(Role.rank).where(Role.name == "guide")))

    with Transactions(lambda: engine).begin() as session:
        listened = Session if by_class else session
        event.listen(listened, "after_commit", look)
        if uses_session:
            session.add(Role(**GUIDE))
        else:
            ADD(session, GUIDE)
    event.remove(listened, "after_commit", look)
    assert seen == [7]


@pytest.mark.parametrize(("dry", "left"), [(True, []), (False, ["guide", "last"])])
def test_a_part_that_raises_is_undone_alone_and_a_dry_run_as_a_whole(engine, dry, left):
    names = select(Role.name).where(Role.name.in_(["guide", "other", "last"])).order_by(Role.name)
    with Transactions(lambda: engine).begin_many(dry=dry) as begin:
        with begin() as session:
            ADD(session, GUIDE)
        with suppress(ZeroDivisionError), begin() as session:
            ADD(session, GUIDE | {"name": "other"})
            raise ZeroDivisionError
        with begin() as session:
            session.add(Role(name="last", rank=1))
            session.flush()
            assert session.scalars(names).all() == ["guide", "last"]
    with Session(engine) as session:
        assert session.scalars(names).all() == left


@only_postgresql
@pytest.mark.parametrize("way", ["begin", "read", "look_up", "single"])
def test_what_the_host_sets_for_a_transaction_holds_in_ours(engine, way):
    """As the tenant is set for row-level security, or by a search_path."""
    event.listen(engine, "begin", lambda it: it.exec_driver_sql("SET LOCAL app.tenant = 'acme'"))
    with getattr(Transactions(lambda: engine), way)() as opened:
        assert TENANT(opened, {}).scalar() == "acme"


@only_postgresql
@pytest.mark.parametrize("way", ["begin", "read", "look_up"])
def test_what_the_host_sets_in_each_session_holds_in_ours(engine, way):
    def set_tenant(_session, _transaction, connection):
        connection.exec_driver_sql("SET LOCAL app.tenant = 'acme'")

    event.listen(Session, "after_begin", set_tenant)
    try:
        with getattr(Transactions(lambda: engine), way)() as session:
            assert TENANT(session, {}).scalar() == "acme"
    finally:
        event.remove(Session, "after_begin", set_tenant)

"""An operator's change of an account, which may have changed since it was found."""

import pytest

from e2ereset.audit import Operator
from e2ereset.server.people.acts import Acting
from e2ereset.server.people.administration import delete_user
from e2ereset.server.people.models import User
from e2ereset.server.people.service import UnknownPerson


@pytest.fixture
def on_bob(world, bob):
    return Acting(runtime=world.runtime, by=Operator(login="root")).on("bob")


def test_a_change_gets_the_account_as_it_is_by_then(world, on_bob):
    world.session.query(User).update({"active": False})
    world.session.commit()
    assert on_bob.account.active
    assert not on_bob.run(lambda change: change.account.active)


def test_an_account_that_was_deleted_since_is_unknown(on_bob):
    on_bob.run(delete_user)
    with pytest.raises(UnknownPerson, match="no user 'bob'"):
        on_bob.run(delete_user)

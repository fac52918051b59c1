"""The role-permission table: SPEC 4."""

import pytest

from e2ereset.permissions.service import (
    EDIT_OTHER_USER_E2EE,
    SEED_GRANTS,
    Permissions,
    UnknownName,
    seed,
)
from e2ereset.store.transactions import Transactions


@pytest.fixture
def permissions(engine):
    return Permissions(Transactions(lambda: engine))


@pytest.mark.parametrize("permission", SEED_GRANTS)
def test_only_administrators_hold_the_seeded_permissions(permissions, session, permission):
    rows = permissions.rows(session)
    assert [role for name, role in rows if name == permission] == ["admin"]


@pytest.mark.parametrize(
    ("roles", "allowed"), [([], False), (["user"], False), (["user", "admin"], True)]
)
def test_one_role_that_holds_it_is_enough(permissions, session, roles, allowed):
    assert permissions.allows(session, roles, EDIT_OTHER_USER_E2EE) is allowed


def test_a_grant_and_a_revoke_hold_at_once(permissions, session):
    permissions.grant(session, EDIT_OTHER_USER_E2EE, "user")
    permissions.grant(session, EDIT_OTHER_USER_E2EE, "user")
    assert permissions.allows(session, ["user"], EDIT_OTHER_USER_E2EE)
    permissions.revoke(session, EDIT_OTHER_USER_E2EE, "user")
    assert not permissions.allows(session, ["user"], EDIT_OTHER_USER_E2EE)


def test_what_was_revoked_stays_revoked_when_seeded_again(permissions, session):
    permissions.revoke(session, EDIT_OTHER_USER_E2EE, "admin")
    seed(session.connection())
    assert not permissions.allows(session, ["admin"], EDIT_OTHER_USER_E2EE)


@pytest.mark.parametrize(("permission", "role"), [("fly", "admin"), (EDIT_OTHER_USER_E2EE, "god")])
def test_an_unknown_name_is_refused_with_the_known_ones(permissions, session, permission, role):
    with pytest.raises(UnknownName, match="Known:"):
        permissions.grant(session, permission, role)


@pytest.mark.parametrize(
    ("roles", "others", "outranks", "as_peers"),
    [
        (["admin"], ["user"], True, True),
        (["admin"], ["admin"], False, True),
        (["user"], ["admin"], False, False),
        (["user", "admin"], ["guest"], True, True),
        (["admin"], ["a role of the host"], False, True),
        (["user"], ["a role of the host"], False, False),
        (["a role of the host"], ["user"], False, False),
        (["user"], [], True, True),
    ],
)
def test_ranks_decide_who_may_act_on_whom(permissions, session, roles, others, outranks, as_peers):
    assert permissions.outranks(session, roles, others, peers=False) is outranks
    assert permissions.outranks(session, roles, others, peers=True) is as_peers

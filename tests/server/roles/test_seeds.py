"""What a new server permits whom: section 5.2 of the reference."""

import pytest

from e2ereset.permissions.models import Role
from e2ereset.permissions.service import Permissions
from e2ereset.server.roles.seeds import GRANTS
from e2ereset.store.transactions import Transactions

OF_ADMINS = [
    *("edit-other-user-e2ee", "edit-other-user-totp", "edit-other-user-info"),
    *("edit-other-user-password", "edit-other-user-active-status", "create-user", "delete-user"),
    *("assign-roles", "assign-admin-role", "access-permissions", "logout-other-user"),
    *("view-full-other-user-info", "view-other-user-channels", "view-privileged-setting"),
    *("edit-privileged-setting", "user-generate-access-token"),
]
WIDER = {
    "create-personal-access-tokens": {"admin", "user"},
    "api-bypass-rate-limit": {"admin", "bot", "app"},
    "view-d-room": {"admin", "user", "bot", "app", "guest"},
    "view-outside-room": {"admin", "owner", "moderator", "user"},
    "toggle-room-e2e-encryption": {"owner", "admin"},
    "create-p": {"admin", "user", "bot", "app"},
    "leave-p": {"admin", "user", "bot", "anonymous", "app"},
    "add-user-to-joined-room": {"admin", "owner", "moderator"},
    "remove-user": {"admin", "owner", "moderator"},
    "edit-room": {"admin", "owner", "moderator"},
    "delete-p": {"owner", "admin"},
}


@pytest.fixture
def held(engine, session):
    """Who holds which permission."""
    rows = Permissions(Transactions(lambda: engine)).rows(session)
    return {name: {role for other, role in rows if other == name} for name, _ in rows}


@pytest.mark.parametrize("permission", OF_ADMINS)
def test_seeded_permissions_of_interest_are_those_of_administrators(held, permission):
    assert held[permission] == {"admin"}


def test_seeded_permissions_of_interest_that_others_hold_too(held):
    assert {name: held[name] for name in WIDER} == WIDER
    assert {name for name, roles in GRANTS.items() if roles} <= held.keys()


def test_seeded_roles(session):
    names = {role.name for role in session.query(Role)}
    assert names == {
        *("admin", "user", "bot", "app", "guest", "anonymous", "livechat-agent"),
        *("livechat-manager", "moderator", "leader", "owner"),
    }

"""The roles and the permissions that a new server has, beside those of the library."""

from sqlalchemy import Connection

from e2ereset import permissions
from e2ereset.permissions.service import SEED_ROLES

RANK_OF_NEW = SEED_ROLES["user"]
GLOBAL, IN_ROOMS = "Users", "Subscriptions"
"""Where a role is held: by a user everywhere, or by a member of one room."""
ROOM_ROLES = ("moderator", "leader", "owner")
ROLES = SEED_ROLES | {
    "anonymous": 0,
    "livechat-agent": 10,
    "livechat-manager": 10,
    **dict.fromkeys(ROOM_ROLES, 10),
}
"""Each with its rank. They are protected: nobody can remove them."""

_ADMIN = ("admin",)
_KEEPERS = ("admin", "owner", "moderator")
GRANTS = {
    **dict.fromkeys(
        (
            *("access-permissions", "assign-roles", "assign-admin-role", "create-user"),
            *("delete-user", "edit-other-user-info", "edit-other-user-password"),
            *("edit-other-user-active-status", "manage-moderation-actions", "logout-other-user"),
            *("view-full-other-user-info", "view-other-user-channels", "view-privileged-setting"),
            *("edit-privileged-setting", "user-generate-access-token"),
        ),
        _ADMIN,
    ),
    "create-personal-access-tokens": ("admin", "user"),
    "api-bypass-rate-limit": ("admin", "bot", "app"),
    "view-d-room": ("admin", "user", "bot", "app", "guest"),
    "view-outside-room": ("admin", "owner", "moderator", "user"),
    "create-p": ("admin", "user", "bot", "app"),
    "leave-p": ("admin", "user", "bot", "anonymous", "app"),
    "add-user-to-joined-room": _KEEPERS,
    "add-user-to-any-p-room": (),
    "remove-user": _KEEPERS,
    "edit-room": _KEEPERS,
    "delete-p": ("owner", "admin"),
    "toggle-room-e2e-encryption": ("owner", "admin"),
}


def seed(connection: Connection) -> None:
    """Add those that are missing; see `permissions.seed`."""
    permissions.seed(connection, ROLES, GRANTS)

"""Users as the wire shows them: to everybody, to who may see all, and to themselves."""

import json
from collections.abc import Mapping
from typing import Any

from e2ereset.records import iso

from .models import FEDERATED, User
from .service import Person

KEPT = ("bio", "nickname", "statusText", "language", "requirePasswordChange", "customFields")
"""What `User.profile` holds; nothing of it matters to the server."""
FOR_ALL = ("bio", "nickname", "statusText")
PREFERENCES = {
    "enableAutoAway": True,
    "idleTimeLimit": 300,
    "desktopNotifications": "all",
    "desktopNotificationRequireInteraction": False,
    "pushNotifications": "all",
    "emailNotificationMode": "mentions",
    "unreadAlert": True,
    "useEmojis": True,
    "convertAsciiEmoji": True,
    "autoImageLoad": True,
    "saveMobileBandwidth": True,
    "collapseMediaByDefault": False,
    "hideUsernames": False,
    "hideRoles": False,
    "hideFlexTab": False,
    "displayAvatars": True,
    "sendOnEnter": "normal",
    "newRoomNotification": "door",
    "newMessageNotification": "chime",
    "muteFocusedConversations": True,
    "notificationsSoundVolume": 100,
    "sidebarViewMode": "medium",
    "sidebarDisplayAvatar": True,
    "sidebarShowUnread": False,
    "sidebarShowFavorites": True,
    "sidebarGroupByType": True,
    "sidebarSortby": "activity",
    "alsoSendThreadToChannel": "default",
    "themeAppearence": "auto",
    "receiveLoginDetectionEmail": True,
    "highlights": [],
}
"""What clients do where a user has set nothing. The server keeps no preferences."""


def kept_of(user: User) -> dict[str, Any]:
    """What is kept for clients alone, by the names of `KEPT`."""
    found: dict[str, Any] = json.loads(user.profile or "{}")
    return found


def merged(user: User | None, changed: Mapping[str, Any]) -> str | None:
    """What is kept from now on, as it is stored: what is blank or False is not."""
    kept = kept_of(user) if user else {}
    kept |= {name: changed[name] for name in KEPT if name in changed}
    kept = {name: value for name, value in kept.items() if value}
    return json.dumps(kept) if kept else None


def shown(person: Person, *, sees_all: bool) -> dict[str, Any]:
    """A user as one sees it who may see all, or may not."""
    return full(person) if sees_all else public(person)


def public(person: Person) -> dict[str, Any]:
    """A user as everybody who is signed in sees one."""
    user, kept = person.user, kept_of(person.user)
    return {
        "_id": user.id,
        "username": user.username,
        "name": user.name,
        "type": "user" if user.kind == FEDERATED else user.kind,
        "status": "offline",
        "active": user.active,
        **({"federated": True} if user.kind == FEDERATED else {}),
        **{name: kept[name] for name in FOR_ALL if name in kept},
    }


def full(person: Person) -> dict[str, Any]:
    """A user as one who holds `view-full-other-user-info` sees one, and as the user does."""
    user, kept = person.user, kept_of(person.user)
    return {
        **public(person),
        "createdAt": iso(user.created_at),
        "emails": person.emails,
        "roles": person.roles,
        "settings": {},
        "_updatedAt": iso(user.updated_at or user.created_at),
        **{name: kept[name] for name in KEPT if name in kept},
    }


def own(person: Person) -> dict[str, Any]:
    """The `me` of the wire: never a hash, never a key."""
    user = person.user
    verified = [one["address"] for one in person.emails if one["verified"]]
    return {
        **full(person),
        "status": "online",
        "statusConnection": "online",
        "statusDefault": "online",
        "utcOffset": 0,
        "settings": {"profile": {}, "preferences": PREFERENCES, "calendar": {}},
        "avatarUrl": f"/avatar/{user.username}",
        "isOAuthUser": False,
        "services": {"password": {"exists": user.password_hash is not None}, **_factors(person)},
        **({"email": verified[0]} if verified else {}),
    }


def own_services(person: Person) -> dict[str, Any]:
    """The `services` of `users.info` of oneself."""
    return {"password": person.user.password_hash is not None, **_factors(person)}


def _factors(person: Person) -> dict[str, Any]:
    found = {"email2fa": person.email_2fa, "totp": person.totp}
    return {name: {"enabled": True} for name, enabled in found.items() if enabled}

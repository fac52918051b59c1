"""`rocket-python`, unmodified: its form sign-in, bodiless POSTs and calls about people and rooms.

Usage: rocket_python.py URL USERNAME PASSWORD. Prints what it saw as one JSON object.
"""

import json
import sys

import requests
from rocketchat.api import RocketChatAPI
from rocketchat.calls.base import PostMixin, RocketChatBase


class Call(PostMixin, RocketChatBase):
    """A POST as it makes them, to a route that it has no class for."""

    def build_endpoint(self, name, **_):
        return f"/api/v1/{name}"

    def build_payload(self, body=None, **_):
        return body


def refused_status(settings):
    """The status of a reset without a proof: a POST without a body."""
    try:
        Call(settings=settings).call(name="users.resetE2EKey")
    except requests.HTTPError as error:
        return error.response.status_code
    return 200


url, username, password = sys.argv[1:]
settings = {"domain": url, "username": username, "password": password}
api = RocketChatAPI(settings=settings)
guest = "guest-python"
made = api.create_user(
    name=guest, username=guest, email=f"{guest}@example.org", password="a longer passphrase for it"
)
Call(settings=settings).call(name="groups.create", body={"name": "room-python"})
seen = {
    "me": api.get_my_info()["username"],
    "info": api.get_user_info(user_id=made["user"]["_id"])["user"]["username"],
    "users": [user["username"] for user in api.get_users()],
    "rooms": [room["name"] for room in api.get_private_rooms()],
    "deleted": api.delete_user(user_id=made["user"]["_id"]),
    "refused": refused_status(settings),
    "logout": api.logout()["status"],
}
print(json.dumps(seen))

"""What a user who goes, or is switched off, gives up in rooms."""

from e2ereset.server.rooms.giving_up import give_up_rooms

from .acts import Change


def relinquish_rooms(change: Change, *, confirmed: bool, for_good: bool) -> list[str]:
    """Give up the rooms of the user, see `give_up_rooms`; the ids of those that are deleted."""
    session = change.session
    given = give_up_rooms(
        session, change.account.id, change.now, confirmed=confirmed, for_good=for_good
    )
    for room_id, owner in given.owners.items():
        change.note(session, "give-room", room_id, owner)
    for room_id in given.deleted:
        change.note(session, "delete-room", room_id)
    return given.deleted

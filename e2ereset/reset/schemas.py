"""The bodies and answers of the routes of resets."""

from marshmallow import fields
from marshmallow.validate import Regexp

from e2ereset.http.schemas import Answer, Flag, Query, Text, Whole
from e2ereset.permissions.schemas import TargetBody
from e2ereset.rooms import SEEN_STEPS

DIGEST = Regexp(r"[0-9a-f]{64}\Z", error="must match the digest of a plan")


class ResetBody(TargetBody):
    """A target, and the digest of the plan that was shown."""

    plan = Text(validate=DIGEST)


class TargetQuery(Query):
    """The target whose plan is asked for; none: the caller."""

    userId = Text()
    username = Text()


class Room(Answer):
    """A room whose key is lost; `holders` others have it, of whom one was seen so lately."""

    class Meta:
        """`success` is that of the whole answer."""

        exclude = ("success",)

    _id = Text(required=True)
    name = Text(required=True)
    holders = Whole(required=True)
    seenWithinDays = Whole(low=min(SEEN_STEPS), high=max(SEEN_STEPS))


class PlanAnswer(Answer):
    """What a reset would lose. `rooms` is for the account itself alone."""

    userId = Text(required=True)
    username = Text(required=True)
    keySet = Flag(required=True)
    keySetAt = Text()
    fingerprint = Text()
    rooms = fields.List(fields.Nested(Room))
    roomsLost = Whole(required=True)
    roomsWithoutHolder = Whole(required=True)
    signIns = Whole(required=True)
    tokens = Whole(required=True)
    digest = Text(required=True)


RESET, TARGET, PLAN = ResetBody(), TargetQuery(), PlanAnswer()

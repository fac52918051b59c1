"""A long body of faults costs no more than its first fault."""

import pytest
from marshmallow import ValidationError

from e2ereset.server.people.schemas import UPDATE
from e2ereset.server.roles.schemas import PERMISSIONS
from e2ereset.server.rooms.keys.schemas import SUGGESTIONS
from e2ereset.server.rooms.schemas import INVITE, NEW_GROUP

FAULTS = [{}] * 400
SUGGESTED = "usersSuggestedGroupKeys"
ONE = {"_id": "u", "key": "k"}


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        (SUGGESTIONS, {SUGGESTED: {"r": FAULTS}}),
        (SUGGESTIONS, {SUGGESTED: {str(number): [{}] for number in range(400)}}),
        (SUGGESTIONS, {SUGGESTED: {"r": [ONE | {"oldKeys": FAULTS}]}}),
        (PERMISSIONS, {"permissions": FAULTS}),
        (PERMISSIONS, {"permissions": [{"_id": "p", "roles": FAULTS}]}),
        (UPDATE, {"userId": "u", "data": {"roles": FAULTS}}),
        (NEW_GROUP, {"name": "n", "members": FAULTS}),
        (INVITE, {"usernames": FAULTS}),
    ],
)
def test_reading_ends_at_the_first_fault(schema, body):
    with pytest.raises(ValidationError) as refused:
        schema.load(body)
    assert str(refused.value).count("must ") <= 3  # the missing fields of one item


def test_a_list_that_is_too_long_is_not_read():
    with pytest.raises(ValidationError, match="must NOT have more than 500 items"):
        NEW_GROUP.load({"name": "n", "members": [1] * 501})

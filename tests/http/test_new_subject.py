"""A subject of a host's own, on the public kit: its schema, its service, its route."""

import pytest
from flask import Blueprint

from e2ereset import Runtime
from e2ereset.http import Answer, Body, Described, Text, Whole, envelope
from e2ereset.testing import enrol_totp
from tests.kit.host import BOB

# What `docs/design.md` shows begins here.


class NoteBody(Body):
    """What is noted."""

    text = Text(required=True)


class Noted(Answer):
    """How many notes there are."""

    notes = Whole(required=True)


NOTE, NOTED = NoteBody(), Noted()


def add_routes(blueprint: Blueprint, notes: list[str], runtime: Runtime) -> None:
    """Put `POST notes.add` on the blueprint."""
    gates = runtime.gates

    @blueprint.post("/notes.add")
    @Described(body=NOTE, answer=NOTED, step_up=True)
    def add_note():
        """Note a text, behind the second factor of the caller."""
        with gates.entered("add-note") as asked:
            text = gates.body(NOTE)["text"]
            gates.rate_limit()
        with gates.waking():
            runtime.stepup.run(asked, lambda _passed: notes.append(text))
        return envelope.success(notes=len(notes))


# It ends here.


@pytest.fixture
def post(host):
    """Posts to the new route as bob, who has TOTP; what was noted is its `notes`."""
    blueprint = host.runtime.gates.blueprint("notes", url_prefix="/api/v1")
    notes, device = [], enrol_totp(host.app, BOB)
    add_routes(blueprint, notes, host.runtime)
    host.app.register_blueprint(blueprint)

    def post(account=BOB, *, code=True, **body):
        code = device.next_code() if code else None
        return host.post("/api/v1/notes.add", account, code, json=body)

    post.notes, post.audited = notes, host.audited
    return post


def test_the_route_does_its_work_behind_the_second_factor(post):
    assert post(text="milk").json == {"notes": 1, "success": True}
    assert (post.notes, post.audited()) == (["milk"], [("add-note", "", "passed")])


def test_the_route_asks_for_the_code(post):
    assert post(text="milk", code=False).json["errorType"] == "totp-required"
    assert post.notes == []


def test_the_route_answers_who_is_not_signed_in_and_a_body_that_does_not_fit(post):
    assert post(account=None, text="milk").status_code == 401
    assert post(txt="milk").json["errorType"] == "invalid-params"
    assert post.notes == []

"""No request at random is a fault, and none resets anything without a right proof."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.kit.rows import row
from tests.kit.wire import HEADERS, NAMES, TYPES, send_raw
from tests.kit.world import enveloped_routes

LATIN = st.characters(max_codepoint=255, exclude_characters="\r\n\0")
VALUES = st.text(LATIN, max_size=80)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
CODES = st.one_of(
    st.text("0123456789- ", min_size=5, max_size=9),
    st.text("23456789ABCDEFGHJKMNPQRSTUVWXYZ", min_size=8, max_size=8),
    st.text("0123456789abcdefABCDEF", min_size=64, max_size=64),
    VALUES,
)
FIELDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=8,
)
BODIES = st.one_of(
    st.just(b""),
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(NAMES), FIELDS, max_size=4).map(lambda d: dumps(d).encode()),
    FIELDS.map(lambda value: dumps(value).encode()),
)


def dumps(value):
    return json.dumps(value, ensure_ascii=True)


@pytest.fixture
def bob(world):
    return world.person("bob", totp=True, email=True, password="pw", roles=["admin"])


def untouched(world, person):
    return world.has_key(person) and world.runtime.factors.status(person.id).totp


@row("9.24")
@given(data=st.data())
def test_no_request_to_any_route_is_a_fault_or_a_reset(world, app, bob, data):
    method, path = data.draw(st.sampled_from(enveloped_routes(app)))
    headers = data.draw(st.dictionaries(st.sampled_from(HEADERS), VALUES, max_size=4))
    headers["X-2fa-Code"] = data.draw(CODES)
    if data.draw(st.booleans()):
        headers |= world.sign_in(bob.id)
    send_raw(
        app,
        data.draw(st.sampled_from([method, method, "GET", "PUT", "DELETE", "OPTIONS"])),
        path,
        headers=headers,
        body=data.draw(BODIES),
        query=data.draw(VALUES),
        kind=data.draw(st.sampled_from(TYPES) | VALUES),
    )
    assert untouched(world, bob)


@given(data=st.data(), body=BODIES, announced=st.integers(0, 300).map(str) | VALUES)
def test_no_body_of_another_length_than_announced_is_taken(world, app, bob, data, body, announced):
    assume(not (announced.isdecimal() and int(announced) == len(body)) and (announced or body))
    method, path = data.draw(st.sampled_from(enveloped_routes(app)))
    # Bob holds every permission, as one that is missing is told before the body is looked at.
    headers = world.sign_in(bob.id) | {"X-2fa-Code": world.code(bob)}
    options = {"body": body, "kind": data.draw(st.sampled_from(TYPES)), "announced": announced}
    assert send_raw(app, method, path, headers=headers, **options) in (400, 413)
    assert untouched(world, bob)


@given(path=st.text(LATIN, max_size=40), query=VALUES)
def test_no_path_is_a_fault(app, path, query):
    for prefix in ("/", "/api/v1/", "/api/v1/users.resetE2EKey"):
        assert send_raw(app, "GET", prefix + path, headers={}, query=query) in (200, 401, 404, 405)


@given(code=CODES, method=st.sampled_from(["totp", "email", "password", "sms", ""]) | VALUES)
def test_no_code_at_random_resets_a_key(world, app, bob, code, method):
    world.clock.now += 86400  # the budgets are open again
    headers = world.sign_in(bob.id) | {"X-2fa-Code": code, "X-2fa-Method": method}
    status = send_raw(app, "POST", "/api/v1/users.resetE2EKey", headers=headers)
    assert status == 400
    assert untouched(world, bob)

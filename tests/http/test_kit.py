"""What the kit for routes does for each route: reference 2.1 to 2.5."""

import pytest
from marshmallow import fields
from sqlalchemy import column

from e2ereset.errors import Forbidden, Refusal
from e2ereset.http import (
    Body,
    Flag,
    PageQuery,
    Text,
    Whole,
    envelope,
    filled,
    one_of,
    read_page,
)
from tests.kit.host import BOB, SUE

COLUMNS = {"name": column("name"), "_id": column("id")}
NO_PERMISSION = (
    b'{"success":false,"error":"User does not have the permissions required for this action'
    b' [error-unauthorized]"}'
)


class Inner(Body):
    key = Text(required=True)


class Sent(Body):
    text = Text(required=True, validate=filled())
    flag = Flag()
    size = Whole(high=9)
    tags = fields.List(Text())
    scope = Text(validate=one_of("Users", "Subscriptions"))
    keys = fields.Dict(keys=Text(), values=fields.List(fields.Nested(Inner)))


class Listed(PageQuery):
    rooms = fields.List(Text())
    open = Flag()


class Untyped(Refusal):
    code, reason, bracketed = "Role not found", "error-role-not-found", False


class Wordless(Refusal):
    code, reason = "user-last-owner", ""


@pytest.fixture
def send(host):
    """Calls a route of the kit's own, as sue, an administrator, or as somebody else."""
    gates = host.runtime.gates
    blueprint = gates.blueprint("kit", url_prefix="/api/v1")
    needed = ["edit-other-user-totp"]

    @blueprint.post("/take")
    def take():
        with gates.entered("take") as asked:
            gates.permit(asked, *needed)
            return envelope.success(**gates.body(Sent()))

    @blueprint.post("/either")
    def either():
        with gates.entered("either") as asked:
            gates.permit_any(asked, "no-such", *needed)
            return envelope.success()

    @blueprint.get("/list")
    def show():
        with gates.entered("show"):
            sent = gates.query(Listed())
            page = read_page(sent, COLUMNS, default="_id")
            order = ", ".join(map(str, page.order))
            facts = page.facts(3, 7)
            return envelope.success(limit=page.limit, order=order, sent=str(sent), **facts)

    @blueprint.post("/refuse/<name>")
    def refuse(name):
        raise {"plain": Forbidden, "untyped": Untyped, "wordless": Wordless}[name]()

    host.app.register_blueprint(blueprint)

    def send(path="take", account=SUE, *, method="POST", **options):
        headers = {"Host-User": account.id} if account else {}
        client = host.app.test_client()
        return client.open(f"/api/v1/{path}", method=method, headers=headers, **options)

    send.needed, send.audited = needed, host.audited
    return send


def listed(send, query="", **options):
    return send(f"list?{query}", BOB, method="GET", **options)


def test_permission_error_is_403_with_exactly_this_body(send):
    answer = send(account=BOB, data=b"{broken", content_type="application/json")
    assert (answer.status_code, answer.data) == (403, NO_PERMISSION)
    assert send.audited() == [("take", "", "error-unauthorized")]


def test_all_permissions_are_needed_or_any(send):
    assert send(json={"text": "a"}).status_code == 200
    assert [send("either", account).status_code for account in (SUE, BOB)] == [200, 403]
    send.needed.append("no-such")
    assert send(json={"text": "a"}).status_code == 403
    send.needed.clear()
    assert send(account=BOB, json={"text": "a"}).status_code == 200


def test_401_comes_before_403_and_403_before_the_schema(send):
    assert send(account=None, json={"x": 1}).status_code == 401
    assert send(account=BOB, json={"x": 1}).status_code == 403
    assert send(json={"x": 1}).status_code == 400


def test_a_revoked_permission_is_missing_at_the_next_request(send, host):
    assert send(json={"text": "a"}).status_code == 200
    with host.runtime.transactions.begin() as session:
        host.runtime.permissions.revoke(session, "edit-other-user-totp", "admin")
    assert send(json={"text": "a"}).status_code == 403


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("plain", 403, b'{"success":false,"error":"unauthorized"}'),
        (
            "untyped",
            400,
            b'{"success":false,"error":"error-role-not-found","errorType":"Role not found"}',
        ),
        (
            "wordless",
            400,
            b'{"success":false,"error":"[user-last-owner]","errorType":"user-last-owner"}',
        ),
    ],
)
def test_a_refusal_says_how_its_code_is_shown(send, name, status, body):
    answer = send(f"refuse/{name}")
    assert (answer.status_code, answer.data) == (status, body)


def test_answers_say_that_no_cache_keeps_them(send):
    for answer in (send(json={"text": "a"}), send(account=None), send("nothing", method="GET")):
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Pragma"] == "no-cache"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ("must have required property 'text'", {"text": ...}),
        ("must be string", {"text": 1}),
        ("must be string", {"text": None}),
        ("must NOT have fewer than 1 characters", {"text": ""}),
        ("must be boolean", {"flag": "true"}),
        ("must be boolean", {"flag": None}),
        ("must be integer", {"size": "1"}),
        ("must be integer", {"size": True}),
        ("must be integer", {"size": 1.5}),
        ("must be >= 0", {"size": -1}),
        ("must be <= 9", {"size": 10**30}),
        ("must be array", {"tags": "a"}),
        ("must be string", {"tags": ["a", 1]}),
        ("must be string", {"tags": [None]}),
        ("must be equal to one of the allowed values", {"scope": "users"}),
        ("must be object", {"keys": []}),
        ("must be array", {"keys": {"a": {}}}),
        ("must be object", {"keys": {"a": ["x"]}}),
        ("must have required property 'key'", {"keys": {"a": [{}]}}),
        ("must NOT have additional properties", {"keys": {"a": [{"key": "k", "b": 1}]}}),
        ("must NOT have additional properties", {"more": 1}),
    ],
)
def test_a_body_that_does_not_fit_is_told_in_the_words_of_json_schema(send, words, sent):
    body = {name: value for name, value in ({"text": "a"} | sent).items() if value is not ...}
    answer = send(json=body)
    assert (answer.status_code, answer.json["errorType"]) == (400, "invalid-params")
    assert answer.json["error"] == f"{words} [invalid-params]"


def test_a_form_spells_flags_and_numbers(send):
    answer = send(data={"text": "7", "flag": "false", "size": "7"})
    assert answer.json == {"text": "7", "flag": False, "size": 7, "success": True}


@pytest.mark.parametrize(
    ("query", "limit", "offset"),
    [("", 50, 0), ("count=7&offset=20", 7, 20), ("count=101", 100, 0), ("count=0", 10_000, 0)],
)
def test_count_default_50_max_100_and_0_is_all(send, query, limit, offset):
    said = listed(send, query).json
    assert (said["limit"], said["offset"], said["count"], said["total"]) == (limit, offset, 3, 7)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", "id ASC"),
        ("{}", "id ASC"),
        ('{"name":-1}', "name DESC, id ASC"),
        ('{"_id":-1,"name":1}', "id DESC, name ASC"),
    ],
)
def test_sort_names_fields_and_the_order_is_always_whole(send, sort, order):
    assert listed(send, query_string={"sort": sort}).json["order"] == order


@pytest.mark.parametrize(
    "sort",
    ["name", "[]", '{"name":2}', '{"name":true}', '{"password":1}', '{"name":[1]}', "[" * 10_000],
)
def test_another_sort_is_refused(send, sort):
    answer = send("list", method="GET", query_string={"sort": sort})
    assert (answer.status_code, answer.json["errorType"]) == (400, "error-invalid-sort")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("rooms=a", "'rooms': ['a']"),
        ("rooms=a&rooms=b", "'rooms': ['a', 'b']"),
        ("rooms[]=a&rooms[]=b", "'rooms': ['a', 'b']"),
        ("open=true", "'open': True"),
    ],
)
def test_a_query_is_read_by_its_schema(send, query, found):
    assert found in listed(send, query).json["sent"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("more=1", "must NOT have additional properties"),
        ("rooms[]=a&more[]=1", "must NOT have additional properties"),
        ("open=1", "must be boolean"),
        ("open=true&open=true", "must be boolean"),
        ("count=-1", "must be >= 0"),
        ("count=ten", "must be integer"),
        (f"offset={'9' * 400}", "must be integer"),
        (f"offset={'9' * 18}", "must be <= 9007199254740991"),
        ("sort=%00", "must be text without NUL or lone surrogates"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(send, query, words):
    answer = listed(send, query)
    assert answer.status_code == 400
    assert answer.json == {
        "success": False,
        "error": f"{words} [error-invalid-params]",
        "errorType": "error-invalid-params",
    }


def test_a_query_that_is_no_utf_8_is_refused(send):
    answer = send("list", BOB, method="GET", environ_overrides={"QUERY_STRING": "\x80"})
    assert answer.json["error"].startswith("Invalid query parameters")


def test_a_route_with_a_query_refuses_a_broken_body(send):
    answer = listed(send, data=b"{broken", content_type="application/json")
    assert answer.json["errorType"] == "invalid-params"

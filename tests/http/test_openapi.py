"""The OpenAPI document: every route, header, body and refusal is in it, and it is true."""

import ast
import inspect
import json
import re
import sys
import textwrap
from functools import cache, reduce
from operator import getitem

import pytest
from flask import Blueprint
from jsonschema import Draft202012Validator

from e2ereset.http import Described, envelope
from e2ereset.http.described import description_of
from tests.kit.client import API, LOGIN, LOGOUT, ME, RESET, SEND_CODE, SET_KEYS
from tests.kit.host import BOB

DOCUMENT, PAGE = API + "openapi.json", API + "openapi.html"
PLACE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
READ_ELSEWHERE = {"LOGIN"}
"""Bodies with more forms than a schema has words for, which a reader of their own reads."""


KEPT = {}


@pytest.fixture
def document(request):
    """The document of the server, which is the same for every test."""
    if not KEPT:
        KEPT.update(request.getfixturevalue("app").test_client().get(DOCUMENT).json)
    return KEPT


def routes(app):
    """(method, path, view) of every route below the prefix, but for the document itself."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(API) and rule.rule not in (DOCUMENT, PAGE):
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                yield method, rule.rule, app.view_functions[rule.endpoint]


def described(document):
    """(method, path, operation) of everything in the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def parts(found):
    """Every object in the document."""
    if isinstance(found, dict):
        yield found
        found = list(found.values())
    for one in found if isinstance(found, list) else ():
        yield from parts(one)


def look_up(document, part):
    for name in part["$ref"].split("/")[1:] if "$ref" in part else ():
        document = document[name]
    return document if "$ref" in part else part


def fits(document, answer):
    """The answer has a status and a body that the document names."""
    operation = document["paths"][answer.request.path][answer.request.method.lower()]
    response = look_up(document, operation["responses"][str(answer.status_code)])
    schema = response["content"]["application/json"]["schema"]
    root = {"components": document["components"], **schema}
    Draft202012Validator(root).validate(answer.json)
    limits = {name for name, _ in answer.headers if name.startswith("X-RateLimit")}
    assert limits <= response.get("headers", {}).keys()
    return answer.status_code


def test_the_document_is_the_url_map(app, document):
    there = {(method, path) for method, path, _ in described(document)}
    assert there == {(method, PLACE.sub(r"{\1}", path)) for method, path, _ in routes(app)}


def test_it_is_openapi_3_1_with_schemas_and_references_that_hold(document):
    assert document["openapi"] == "3.1.0"
    schemas = {json.dumps(one) for one in document["components"]["schemas"].values()}
    for part in parts(document):
        assert look_up(document, part) is not None
        schemas |= {json.dumps(part["schema"])} if "schema" in part else set()
    for schema in schemas:
        Draft202012Validator.check_schema(json.loads(schema))


def test_each_operation_has_a_name_of_its_own_and_words(document):
    operations = [operation for *_, operation in described(document)]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] and one["responses"]["200"] for one in operations)
    assert "SPEC" not in json.dumps(document), "readers of the document do not have SPEC"


def test_links_lead_from_a_sign_in_to_operations_that_take_it(document):
    operations = {one["operationId"]: one for *_, one in described(document)}
    assert {"me", "users.resetE2EKey"} <= links_of(operations["login"]).keys()
    for one in operations.values():
        for name, link in links_of(one).items():
            taken = [look_up(document, given) for given in operations[name]["parameters"]]
            assert {f"{one['in']}.{one['name']}" for one in taken} >= link["parameters"].keys()


def links_of(operation):
    return operation["responses"]["200"].get("links", {})


def value_of(expression, answer):
    """What an expression of a link stands for."""
    where, _, pointer = expression.partition("#")
    if where == "$response.body":
        return reduce(getitem, pointer.strip("/").split("/"), answer.json)
    return answer.request.headers[where.removeprefix("$request.header.")]


@pytest.fixture
def follow(world, document):
    """The answer of the operation to which a link of this answer leads."""
    named = {one["operationId"]: (method, path) for method, path, one in described(document)}

    def follow(answer, name):
        operation = document["paths"][answer.request.path][answer.request.method.lower()]
        method, path = named[name]
        given = {"header": {}, "query": {}}
        for target, expression in links_of(operation)[name]["parameters"].items():
            place, _, parameter = target.partition(".")
            given[place][parameter] = value_of(expression, answer)
        where = {"headers": given["header"], "query_string": given["query"]}
        return world.client.open(path, method=method, **where)

    return follow


def test_links_can_be_followed_from_a_sign_in_on(world, follow):
    bob = world.person("bob", password="pw")
    me = follow(world.login("bob"), "me")
    assert (me.status_code, me.json["username"]) == (200, "bob")
    assert follow(me, "users.info").json["user"]["username"] == "bob"
    group = world.client.post(f"{API}groups.create", headers=bob.headers, json={"name": "g"})
    assert group.status_code == 200
    assert follow(group, "rooms.info").json["room"]["name"] == "g"
    assert follow(group, "subscriptions.getOne").json["subscription"]["name"] == "g"
    assert follow(group, "groups.members").json["total"] == 1


def test_examples_fit_their_schemas(document):
    told = [part for part in parts(document) if {"example", "examples"} & part.keys()]
    assert told
    for part in told:
        given = [part["example"]] if "example" in part else part["examples"].values()
        for value in given:
            value = value.get("value", value)
            Draft202012Validator(part["schema"]).validate(value)


def calls_in(code):
    tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def written(node):
    """How it is written, without the star before a list."""
    return ast.unparse(node).lstrip("*")


@cache
def given_in(module):
    """Whatever is given to a call somewhere in the module."""
    return {written(one) for call in calls_in(sys.modules[module]) for one in call.args}


def told(view):
    """What it is described with, as it is written: {("body", "TARGET")}."""
    (call,) = [one for one in calls_in(view) if getattr(one.func, "id", "") == "Described"]
    for word in call.keywords:
        values = word.value.elts if isinstance(word.value, ast.Tuple) else [word.value]
        if word.arg in ("body", "query", "permissions"):
            yield from ((word.arg, written(value)) for value in values)


def given(view):
    """What it gives to the gates."""
    for call in calls_in(view):
        called = getattr(call.func, "attr", "")
        if called in ("body", "query"):
            yield called, written(call.args[0])
        elif called in ("permit", "permit_any"):
            yield from (("permissions", written(one)) for one in call.args[1:])


def test_a_view_is_described_with_what_it_gives_to_the_gates(app):
    for _, path, view in routes(app):
        said, used = set(told(view)), given_in(view.__module__) | READ_ELSEWHERE
        assert (path, set(given(view)) - said) == (path, set())
        assert (path, {words for _, words in said} - used) == (path, set())


@pytest.mark.parametrize("setting", [True, False])
def test_a_page_of_another_site_is_refused_only_where_cookies_sign_in(make_host, setting):
    host = make_host(E2ERESET_COOKIE_SIGN_IN=setting)
    found = host.app.test_client().get(DOCUMENT).json
    assert ("403" in found["paths"][RESET]["post"]["responses"]) is setting


def test_answers_are_those_of_the_document(world, bob, document):
    eve, ask = world.person("eve", password="pw"), world.client
    admin = world.person("root", roles=["admin"], totp=True)
    proven = admin.headers | {"x-2fa-code": world.code(admin)}
    pair = {"public_key": "NEW", "private_key": "NEW"}
    calls = [
        ask.post(LOGIN, json={"user": "eve", "password": "pw"}),
        ask.post(LOGIN, json={"user": "eve", "password": "wrong"}),
        ask.post(LOGIN, json={"user": 7}),
        ask.get(ME, headers=eve.headers),
        ask.get(ME),
        ask.get(API + "e2e.fetchMyKeys", headers=eve.headers),
        ask.post(SET_KEYS, headers=eve.headers, json=pair),
        ask.post(SEND_CODE, json={"emailOrUsername": "bob"}),
        ask.post(SEND_CODE, data=b"x" * 2**21),
        ask.post(RESET, headers=bob.headers),
        ask.post(RESET, headers=bob.headers, json={"user": ""}),
        ask.post(RESET, headers=proven, json={"user": "no"}),
        ask.post(API + "users.unlockFactor", headers=bob.headers, json={"user": "eve"}),
        world.reset(bob, code=world.code(bob)),
        ask.post(LOGOUT, headers=eve.headers),
    ]
    statuses = [fits(document, answer) for answer in calls]
    assert statuses == [200, 401, 400, 200, 401, 200, 400, 200, 413, 400, 400, 400, 400, 200, 200]


def test_a_host_gets_the_part_of_its_areas_and_its_own_routes(make_host):
    host = make_host(options={"areas": ("reset",), "sign_in_headers": ("Authorization",)})
    blueprint = host.runtime.gates.blueprint("own", url_prefix="/api/v1")

    @blueprint.get("/own.thing/<name>")
    @Described()
    def show(name):
        """Show it."""
        return envelope.success()

    host.app.register_blueprint(blueprint)
    plain = Blueprint("plain", __name__)
    plain.add_url_rule("/api/v1/plain", view_func=Described()(lambda: "x"), endpoint="plain")
    host.app.register_blueprint(plain)
    found = host.app.test_client().get(DOCUMENT).json
    assert {RESET, "/api/v1/own.thing/{name}"} <= found["paths"].keys()
    assert not {SET_KEYS, "/api/v1/plain", LOGIN} & found["paths"].keys()
    assert found["components"]["securitySchemes"].keys() == {"Authorization"}
    reset = found["paths"][RESET]["post"]
    assert reset["security"] == [{"Authorization": []}]
    assert all(look_up(found, one)["name"] != "Authorization" for one in reset["parameters"])


def test_a_host_that_names_no_headers_gets_no_security(make_host):
    host = make_host()
    found = host.app.test_client().get(DOCUMENT).json
    assert "securitySchemes" not in found["components"]
    assert host.post(RESET, BOB).status_code == 400


def test_the_page_shows_every_operation_without_a_script(app, document):
    answer = app.test_client().get(PAGE)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<script" not in answer.text
    for method, path, one in described(document):
        assert f'<h2 id="{one["operationId"]}"><code>{method} {path}</code></h2>' in answer.text
    for code in ("totp-required", "error-invalid-user", "x-2fa-method", "public_key"):
        assert code in answer.text


def test_the_title_of_a_workspace_is_escaped_in_the_page(make_host):
    page = make_host(E2ERESET_WORKSPACE="<b>us</b>").app.test_client().get(PAGE).text
    assert "&lt;b&gt;us&lt;/b&gt;" in page
    assert "<b>us" not in page


def test_a_setting_switches_both_off(make_host):
    client = make_host(E2ERESET_OPENAPI=False).app.test_client()
    assert [client.get(path).status_code for path in (DOCUMENT, PAGE)] == [404, 404]


def test_every_view_of_the_server_is_described(app):
    assert [path for _, path, view in routes(app) if description_of(view) is None] == []

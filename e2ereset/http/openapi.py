"""The OpenAPI 3.1 document of an app: its URL map, and what each route tells about itself."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from jinja2 import Environment, PackageLoader
from marshmallow import Schema

from .bodies import FORM_TYPE, JSON_TYPE
from .described import Described, description_of
from .refusals import HEADERS_OF, RESPONSES, failures_of, refusals_of
from .strays import OURS

PLACE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PROOF = ("x-2fa-code", "x-2fa-method")
PARAMETERS = {
    "x-2fa-code": "The code of the second factor.",
    "x-2fa-method": "Which of `availableMethods` the code is of; else the server chooses.",
}
INTRODUCTION = """\
Every answer is JSON that no cache keeps. A body is a JSON object or a form, with no unknown key.
Checks come in the order 401, 403, body, rate, second factor; then those of the route itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one route."""

    path: str
    method: str
    view: Callable[..., Any]
    described: Described
    name: str
    """Its `operationId`: its path below the prefix, and its method where it has several."""


def operations(app: Flask, prefix: str) -> Iterator[Operation]:
    """The described routes of this app below the prefix, by path and method."""
    ours, found = app.extensions.get(OURS, set()), []
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        described = description_of(view) if view else None
        if not view or not described or rule.endpoint.rpartition(".")[0] not in ours:
            continue
        path = PLACE.sub(r"{\1}", rule.rule)
        methods = [method for method in METHODS if method in (rule.methods or ())]
        for method in methods:
            name = path.removeprefix(prefix).strip("/")
            name = name if len(methods) == 1 else f"{name}.{method.lower()}"
            found.append(
                Operation(path=path, method=method, view=view, described=described, name=name)
            )
    yield from sorted(found, key=lambda one: (one.path, one.method))


def make_document(
    app: Flask,
    prefix: str,
    *,
    title: str,
    version: str,
    sign_in: Sequence[str] = (),
    cookies: bool = True,
) -> dict[str, Any]:
    """The document of this app's routes below the prefix.

    `sign_in` names the headers that sign a request in; without any, the document tells nothing
    about it. `cookies`: whether a sign-in may come in a cookie, so that other sites are refused.
    """
    spec = APISpec(
        title=title,
        version=version,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_name)],
        info={"description": INTRODUCTION},
    )
    for name, response in RESPONSES.items():
        spec.components.response(name, response)
    for name, header in HEADERS_OF.items():
        spec.components.header(name, header)
    for key in sign_in:
        scheme = {"type": "apiKey", "in": "header", "name": key}
        spec.components.security_scheme(key, scheme)
    for name, words in {**PARAMETERS, **dict.fromkeys(_sendable(sign_in), "")}.items():
        told = {"schema": {"type": "string"}, **({"description": words} if words else {})}
        spec.components.parameter(name, "header", {"required": name in sign_in, **told})
    found = list(operations(app, prefix))
    for one in found:
        made = _operation(one, sign_in, cookies=cookies)
        spec.path(one.path, operations={one.method.lower(): made})
    return spec.to_dict()


def make_page(document: dict[str, Any]) -> str:
    """The page that shows this document to people: HTML without a script."""
    pages = Environment(loader=PackageLoader("e2ereset.http"), autoescape=True)

    def look_up(part: dict[str, Any]) -> dict[str, Any]:
        """The part itself, or what it refers to."""
        found = document
        for name in part["$ref"].split("/")[1:] if "$ref" in part else ():
            found = found[name]
        return found if "$ref" in part else part

    return pages.get_template("openapi.html").render(document, look_up=look_up)


def _operation(one: Operation, sign_in: Sequence[str], *, cookies: bool) -> dict[str, Any]:
    told = one.described
    summary, *rest = (inspect.getdoc(one.view) or "").split("\n\n", 1)
    refusals = refusals_of(told, changes=cookies and one.method != "GET")
    parameters: list[Any] = [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(.+?)}", one.path)
    ]
    parameters += [{"in": "query", "schema": told.query}] if told.query else []
    if told.signed_in:
        parameters += _sendable(sign_in)
    parameters += PROOF if told.step_up else ()
    made: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.name.partition(".")[0]],
        "summary": " ".join(summary.split()),
        "responses": {"200": _success(told), **failures_of(refusals, told.failures)},
    }
    if rest:
        made["description"] = rest[0]
    if parameters:
        made["parameters"] = parameters
    if told.body:
        content = {kind: {"schema": told.body} for kind in (JSON_TYPE, FORM_TYPE)}
        required = any(field.required for field in told.body.fields.values())
        made["requestBody"] = {"required": required, "content": content}
    if told.signed_in and sign_in:
        made["security"] = [{header: [] for header in sign_in}]
    return made


def _success(told: Described) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": "It is done.",
        "headers": {name: name for name in HEADERS_OF if name != "Retry-After"},
        "content": {JSON_TYPE: {"schema": told.answer}},
    }
    if told.links:
        made["links"] = {
            name: {"operationId": name, "parameters": dict(given)}
            for name, given in told.links.items()
        }
    return made


def _sendable(headers: Sequence[str]) -> list[str]:
    """The headers that can be parameters: OpenAPI ignores a parameter `Authorization`."""
    return [header for header in headers if header.lower() != "authorization"]


def _name(schema: Any) -> str:
    """The name of a schema in the document: its subject's and its own, `vault.KeysBody`."""
    kind = schema if isinstance(schema, type) else type(schema)
    subject = kind.__module__.split(".")[-2:-1] or [""]
    part = "Part" if isinstance(schema, Schema) and (schema.exclude or schema.only) else ""
    return f"{subject[0]}.{kind.__name__}{part}"

"""The gate in hosts of other frameworks, with a serializer outside of it, and around coroutines."""

import asyncio

import pytest
from apiflask import APIBlueprint, APIFlask, Schema
from apiflask.fields import Integer as APIInteger
from flask import jsonify
from flask.views import MethodView
from flask_restx import Api as RestxApi
from flask_restx import Resource
from flask_restx import fields as restx_fields
from flask_smorest import Api as SmorestApi
from flask_smorest import Blueprint as SmorestBlueprint

from e2ereset import two_factor_required
from tests.kit.host import BOB


class Numbers(Schema):
    """What the serializers around a view let through."""

    r = APIInteger()


def restx(app):
    """A serializer of Flask-RESTX outside of the gate."""
    api = RestxApi(app)

    @api.route("/r")
    class View(Resource):
        @api.marshal_with(api.model("Numbers", {"r": restx_fields.Integer}))
        @two_factor_required("r")
        def post(self):
            return {"r": "1"}


def smorest(app):
    """A serializer of flask-smorest outside of the gate."""
    app.config.update(API_TITLE="t", API_VERSION="1", OPENAPI_VERSION="3.0.2")
    blueprint = SmorestBlueprint("r", __name__)

    @blueprint.route("/r")
    class View(MethodView):
        @blueprint.response(200, Numbers)
        @two_factor_required("r")
        def post(self):
            return {"r": 1}

    SmorestApi(app).register_blueprint(blueprint)


def apiflask(app):
    """A serializer of APIFlask outside of the gate."""
    blueprint = APIBlueprint("r", __name__)

    @blueprint.post("/r")
    @blueprint.output(Numbers)
    @two_factor_required("r")
    def view():
        return {"r": 1}

    app.register_blueprint(blueprint)


def plain(app):
    """A serializer of the host's own outside of the gate."""

    view = two_factor_required("r")(lambda: {"r": 1})
    app.add_url_rule("/r", "r", lambda: jsonify(r=view()["r"]), methods=["POST"])


def decorators(app):
    """The gate among the `decorators` of a class of views."""

    class View(MethodView):
        decorators = [two_factor_required("r")]  # noqa: RUF012

        def post(self):
            return {"r": 1}

    app.add_url_rule("/r", view_func=View.as_view("r"))


def asynchronous(app):
    """A view that is a coroutine function."""

    @app.post("/r")
    @two_factor_required("r")
    async def view():
        await asyncio.sleep(0)
        return {"r": 1}


@pytest.mark.parametrize("propagates", [True, False])
@pytest.mark.parametrize("shape", [restx, smorest, apiflask, plain, decorators, asynchronous])
def test_a_refusal_and_a_value_pass_whatever_stands_around(make_host, shape, propagates):
    app = APIFlask if shape is apiflask else None
    host = make_host(app=app, PROPAGATE_EXCEPTIONS=propagates)
    shape(host.app)
    code = host.code()
    nobody, refused, passed = host.post("/r"), host.post("/r", BOB), host.post("/r", BOB, code)
    assert (nobody.status_code, nobody.json["status"]) == (401, "error")
    assert (refused.status_code, refused.json["errorType"]) == (400, "totp-required")
    assert refused.json["details"]["method"] == "totp"
    assert refused.content_type == "application/json"
    assert (passed.status_code, passed.json) == (200, {"r": 1})


def test_an_asynchronous_view_that_cannot_run_burns_no_code(host, monkeypatch):
    def no_extra(view):
        raise RuntimeError("Install Flask with the 'async' extra")

    asynchronous(host.app)
    code = host.code()
    with monkeypatch.context() as patch:
        patch.setattr(host.app, "async_to_sync", no_extra)
        with pytest.raises(RuntimeError, match="async"):
            host.post("/r", BOB, code)
    assert host.post("/r", BOB, code).status_code == 200

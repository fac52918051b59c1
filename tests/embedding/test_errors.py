"""Errors of the host's own code below our routes: they are the host's, and nobody hides them."""

from datetime import timedelta

import pytest
from flask import got_request_exception
from flask_jwt_extended import JWTManager, create_access_token, verify_jwt_in_request
from sqlalchemy.exc import DataError, NoResultFound, OperationalError, TimeoutError
from werkzeug.datastructures import Authorization
from werkzeug.exceptions import ImATeapot

from e2ereset import Caller
from tests.kit.host import BOB

URL = "/api/v1/users.resetE2EKey"
ENVELOPE = {"success": False, "error": "Service Unavailable"}


class Bug(Exception):
    """Something of the host's own that went wrong."""


BUG, NO_ROW = Bug("the words of the bug"), NoResultFound("the words of the bug")


@pytest.fixture
def failing(make_host):
    """Makes hosts whose `identify` raises this, and a guarded view."""

    def make(fault=BUG, identify=None, **config):
        def fail():
            raise fault

        host = make_host(identify=identify or fail, **config)
        host.guard("/guarded")
        return host

    return make


@pytest.fixture(params=[URL, "/guarded"])
def url(request):
    """A route of ours, and one of the host's behind our gate."""
    return request.param


@pytest.mark.parametrize("fault", [BUG, NO_ROW])
def test_it_comes_out_of_the_test_client(failing, url, fault):
    with pytest.raises(type(fault), match="the words of the bug"):
        failing(fault).post(url)


@pytest.mark.parametrize("fault", [BUG, NO_ROW, ImATeapot()])
def test_a_handler_of_the_host_answers_it(failing, url, fault):
    host = failing(fault)
    host.app.register_error_handler(type(fault), lambda fault: ("own", 418))
    answer = host.post(url)
    assert (answer.status_code, answer.text) == (418, "own")


@pytest.mark.parametrize("kind", [500, Exception])
def test_a_common_handler_of_the_host_answers_it(failing, url, kind):
    host = failing(PROPAGATE_EXCEPTIONS=False)
    host.app.register_error_handler(kind, lambda error: ("own", 500))
    assert host.post(url).text == "own"


def test_whoever_watches_for_exceptions_hears_of_it_once(failing, url, hears):
    host = failing(PROPAGATE_EXCEPTIONS=False)
    heard = hears(got_request_exception, host.app)
    host.post(url)
    assert heard == [(host.app, {"exception": BUG})]


def test_the_log_names_it_and_the_answer_does_not(failing, url, caplog):
    answer = failing(PROPAGATE_EXCEPTIONS=False).post(url)
    assert "Bug: the words of the bug" in caplog.text
    assert "words of the bug" not in answer.text


def test_our_route_answers_in_the_envelope_where_nobody_else_does(failing):
    answer = failing(PROPAGATE_EXCEPTIONS=False).post(URL)
    assert (answer.status_code, answer.json) == (503, ENVELOPE)


@pytest.mark.parametrize(
    "fault",
    [
        OperationalError("SELECT", {}, Exception("password=hunter2")),
        DataError("SELECT", {}, Exception("password=hunter2")),  # no outage: its type is logged
        TimeoutError("hunter2"),
    ],
)
def test_a_database_that_is_gone_is_503_and_its_text_is_logged_nowhere(failing, url, caplog, fault):
    answer = failing(fault).post(url)
    assert (answer.status_code, answer.json) == (503, ENVELOPE)
    assert "Retry-After" in answer.headers
    assert ("Answered 503" in caplog.text, "hunter2" in caplog.text) == (True, False)


def test_a_sign_in_that_has_expired_is_what_the_hosts_extension_says(failing, url):
    def identify():
        return verify_jwt_in_request(optional=True) and Caller(account=BOB)

    host = failing(identify=identify, JWT_SECRET_KEY="z" * 40)
    JWTManager(host.app)
    with host.app.app_context():
        token = create_access_token("1", expires_delta=timedelta(seconds=-9))
    answer = host.post(url, auth=Authorization("bearer", token=token))
    assert (answer.status_code, answer.json) == (401, {"msg": "Token has expired"})
    assert host.post(url).json["status"] == "error"


def test_an_asynchronous_identify_is_run(failing, url):
    async def identify():
        return Caller(account=BOB)

    host = failing(identify=identify)
    assert host.post(url, code=host.code()).status_code == 200

"""Errors of the host's own code below our routes: they are the host's, and nobody hides them."""

from datetime import timedelta

import pytest
from flask import abort, got_request_exception
from flask_jwt_extended import JWTManager, create_access_token, verify_jwt_in_request
from sqlalchemy.exc import NoResultFound, OperationalError, TimeoutError

from e2ereset import Caller, two_factor_required
from e2ereset.testing import enrol_totp
from tests.kit.host import BOB

URL = "/api/v1/users.resetE2EKey"
ENVELOPE = {"success": False, "error": "Service Unavailable"}


class Bug(Exception):
    """Something of the host's own that went wrong."""


def fail():
    raise Bug("the words of the bug")


@pytest.fixture
def failing(make_host):
    """Makes hosts whose `identify` has a bug, and a guarded view."""

    def make(identify=fail, **config):
        host = make_host(identify=identify, **config)

        @host.app.post("/guarded")
        @two_factor_required("guarded")
        def guarded():
            return "done"

        return host

    return make


@pytest.fixture(params=[URL, "/guarded"])
def url(request):
    """A route of ours, and one of the host's behind our gate."""
    return request.param


def test_it_comes_out_of_the_test_client(failing, url):
    with pytest.raises(Bug, match="the words of the bug"):
        failing().post(url)


def test_a_handler_of_the_host_answers_it(failing, url):
    host = failing()
    host.app.register_error_handler(Bug, lambda bug: ({"host": str(bug)}, 418))
    answer = host.post(url)
    assert (answer.status_code, answer.json) == (418, {"host": "the words of the bug"})


@pytest.mark.parametrize("kind", [500, Exception])
def test_a_common_handler_of_the_host_answers_it(failing, url, kind):
    host = failing(PROPAGATE_EXCEPTIONS=False)
    host.app.register_error_handler(kind, lambda error: ("own", 500))
    assert host.post(url).text == "own"


def test_whoever_watches_for_exceptions_hears_of_it_once(failing, url):
    host, heard = failing(PROPAGATE_EXCEPTIONS=False), []

    def hear(sender, exception):
        heard.append(exception)

    with got_request_exception.connected_to(hear, host.app):
        host.post(url)
    assert [type(error) for error in heard] == [Bug]


def test_the_log_names_it_and_the_answer_does_not(failing, url, caplog):
    answer = failing(PROPAGATE_EXCEPTIONS=False).post(url)
    assert "Bug: the words of the bug" in caplog.text
    assert "words of the bug" not in answer.text


def test_our_route_answers_in_the_envelope_where_nobody_else_does(failing):
    answer = failing(PROPAGATE_EXCEPTIONS=False).post(URL)
    assert (answer.status_code, answer.json) == (503, ENVELOPE)


def test_the_text_of_a_database_error_is_logged_nowhere(failing, url, caplog):
    fault = OperationalError("SELECT", {}, Exception("host=db password=hunter2"))

    def gone():
        raise fault

    answer = failing(gone).post(url)
    assert (answer.status_code, answer.json) == (503, ENVELOPE)
    assert "Answered 503" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("answered", [True, False])
def test_a_row_that_the_host_does_not_find_is_its_own_error(failing, url, answered):
    def identify():
        raise NoResultFound("no such user")

    host = failing(identify)
    if answered:
        host.app.register_error_handler(NoResultFound, lambda error: ("own", 404))
        assert host.post(url).text == "own"
        return
    with pytest.raises(NoResultFound):
        host.post(url)


@pytest.mark.parametrize("fault", [OperationalError("SELECT", {}, Exception()), TimeoutError()])
def test_a_database_that_is_gone_is_503_wherever_it_is_asked(failing, url, fault):
    def identify():
        raise fault

    answer = failing(identify).post(url)
    assert (answer.status_code, answer.json) == (503, ENVELOPE)
    assert "Retry-After" in answer.headers


def test_a_sign_in_that_has_expired_is_what_the_hosts_extension_says(failing, url):
    def identify():
        return verify_jwt_in_request(optional=True) and Caller(account=BOB)

    host = failing(identify, JWT_SECRET_KEY="z" * 40)
    JWTManager(host.app)
    with host.app.app_context():
        token = create_access_token("1", expires_delta=timedelta(seconds=-9))
    headers = {"Authorization": f"Bearer {token}"}
    answer = host.app.test_client().post(url, headers=headers)
    assert (answer.status_code, answer.json) == (401, {"msg": "Token has expired"})
    assert host.post(url).json["status"] == "error"


def test_an_identify_that_aborts_is_answered_as_the_host_answers(failing, url):
    host = failing(lambda: abort(418))
    host.app.register_error_handler(418, lambda error: ("own", 418))
    assert host.post(url).text == "own"


def test_an_asynchronous_identify_is_run(failing, url):
    async def identify():
        return Caller(account=BOB)

    host = failing(identify)
    assert host.post(url, code=enrol_totp(host.app, BOB).code()).status_code == 200

"""The gate around a host's own views, of whatever shape, and whatever stands around it."""

from http import HTTPStatus

import pytest
from flask.views import MethodView
from sqlalchemy import select
from werkzeug.exceptions import HTTPException

from e2ereset import Refusal, two_factor_required
from e2ereset.errors import HostError
from e2ereset.factors.models import EmailChallenge
from e2ereset.testing import enable_email
from tests.kit.host import BOB
from tests.kit.network import free_port


def own_words(app):
    """The host has its own answer to refusals."""
    app.register_error_handler(Refusal, lambda refusal: ("own", 418))


def test_the_value_of_a_view_is_passed_on_as_it_is(host):
    value = object()
    view = two_factor_required("r")(lambda: value)
    headers = {"Host-User": BOB.id, "x-2fa-code": host.code()}
    with host.app.test_request_context("/", headers=headers):
        assert view() is value


def test_a_refusal_is_raised_with_its_answer_and_its_cause(host):
    with host.app.test_request_context("/"), pytest.raises(HTTPException) as caught:
        two_factor_required("r")(lambda: "done")()
    assert caught.value.response.status_code == HTTPStatus.UNAUTHORIZED
    assert isinstance(caught.value.__cause__, Refusal)


@pytest.mark.parametrize("config", [{}, {"TRAP_HTTP_EXCEPTIONS": True}, {"DEBUG": True}])
def test_what_the_host_does_with_http_errors_is_not_done_to_the_gates(make_host, config):
    host = make_host(**config)
    host.app.register_error_handler(HTTPException, lambda error: ("own", 418))
    host.guard()
    assert host.post("/r").status_code == HTTPStatus.UNAUTHORIZED


def test_the_hosts_own_words_for_refusals_are_not_the_gates(host):
    own_words(host.app)
    host.guard()
    assert host.post("/r", BOB).json["errorType"] == "error-two-factor-not-available"


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [(None, None, 400), (own_words, None, 418), (None, own_words, 418)],
)
def test_a_refusal_in_a_view_of_the_host_is_answered(make_host, before, after, status):
    host = make_host(before=before)
    if after:
        after(host.app)
    host.app.post("/confirm")(lambda: host.runtime.factors.confirm_totp(BOB, "nonsense"))
    answer = host.post("/confirm", BOB)
    assert answer.status_code == status
    assert status == 418 or answer.json["errorType"] == "invalid-totp"


class Projects(MethodView):
    """Methods behind the gate, by a decorator on the method itself."""

    @two_factor_required("drop", target=lambda name: name)
    def post(self, name):
        return {"dropped": name}


class Other:
    """A class of views that is no View of Flask's."""

    @two_factor_required("drop", target=lambda name: name)
    def drop(self, name):
        return {"dropped": name}


@pytest.mark.parametrize("view", [Projects.as_view("drop"), Other().drop])
def test_the_target_of_a_method_does_not_get_self(host, view):
    host.app.add_url_rule("/p/<name>", "drop", view, methods=["POST"])
    code = host.code()
    host.post("/p/x", BOB)
    assert host.post("/p/x", BOB, code).json == {"dropped": "x"}
    assert host.audited() == [("drop", "x", "totp-required"), ("drop", "x", "passed")]


def test_the_target_gets_what_stands_before_the_gate_adds(host):
    def with_user(view):
        return lambda name: view("bob", name)

    @host.app.post("/p/<name>")
    @with_user
    @two_factor_required("drop", target=lambda user, name: f"{user} {name}")
    def drop(user, name):
        return {"dropped": name}

    host.post("/p/x", BOB, host.code())
    assert host.audited() == [("drop", "bob x", "passed")]


@pytest.mark.parametrize("bound", [7, None, b"x"])
def test_a_target_that_is_no_text_is_named(host, bound):
    host.guard(target=lambda: bound)
    with pytest.raises(HostError, match="target of 'drop'"):
        host.post("/r", BOB)


def test_a_gate_without_an_action_is_refused_where_it_stands():
    with pytest.raises(HostError, match="Name the action"):
        two_factor_required(lambda: "view")


def test_a_fault_of_the_view_is_the_hosts_and_the_code_is_spent(host):
    host.guard(view=lambda: 1 / 0)
    host.app.config["PROPAGATE_EXCEPTIONS"] = False
    code = host.code()
    first, second = (host.post("/r", BOB, code) for _ in range(2))
    assert (first.status_code, first.mimetype) == (500, "text/html")
    assert second.json["errorType"] == "totp-invalid"


def test_a_view_behind_the_gate_is_unavailable_while_the_rates_have_no_store(make_host):
    host = make_host(RATELIMIT_STORAGE_URI=f"redis://127.0.0.1:{free_port()}/0")
    host.guard()
    answer = host.post("/r", BOB)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json == {"success": False, "error": "Service Unavailable"}


def test_a_sentence_in_a_url_is_in_no_mail(host):
    host.guard("/r/<name>", target=lambda name: name)
    enable_email(host.app, BOB)
    host.post("/r/You are locked out", BOB)
    assert host.look(select(EmailChallenge.phrase)) == "drop"

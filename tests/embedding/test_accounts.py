"""What a host's accounts and `identify` give: real rows are taken, wrong things are named."""

from types import SimpleNamespace

import pytest
from flask_sqlalchemy import SQLAlchemy

from e2ereset import Account, Caller, E2EReset
from e2ereset.errors import HostError, SettingsError
from e2ereset.testing import Mailbox, MemoryAccounts, make_account
from e2ereset.vault.models import KeyPair
from tests.kit.host import BOB, SUE, HostAccounts

URL = "/api/v1/users.resetE2EKey"
WRONG = {
    "id": (7, None, "", "x" * 256),
    "username": (None, b"bob"),
    "emails": ("b@x.org", b"b@x.org", {"b@x.org": True}, [7], 7),
    "roles": ("admin", [object()]),
    "active": (None, 1),
    "federated": ("no",),
    "has_password": ("x",),
}
WRONG_OF_CALLER = {
    "account": ("bob", SimpleNamespace(id="b", active=True)),
    "bypasses_two_factor": ("false", None),
    "agent": (object(),),
    "sign_in": (7,),
}


def pairs(values):
    """(name, value) of each value of each name."""
    return [(name, value) for name, several in values.items() for value in several]


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        *(("emails", given, ()) for given in ((None,), [""], (" ",), None, ["x" * 321])),
        *(("roles", given, ()) for given in (None, (None,), ["", " "])),
        ("emails", ["a@x.org", None], ("a@x.org",)),
        ("roles", iter(["admin"]), ("admin",)),
    ],
)
def test_any_list_will_do_and_what_is_no_text_in_it_is_dropped(field, given, kept):
    assert getattr(make_account(**{field: given}), field) == kept


@pytest.mark.parametrize("emails", [(None,), ("",), None])
def test_a_user_without_an_address_is_reset_and_enrols(make_host, emails):
    ned = make_account("ned", emails=emails)
    host = make_host(accounts=HostAccounts(ned, SUE), MAIL_BACKEND="locmem")
    for account, named in ((ned, {}), (SUE, {"username": "ned"})):
        assert host.reset(account, host.code(account), **named).status_code == 200
    assert {mail.to for mail in Mailbox(host.app).deliver()} == set(SUE.emails)


@pytest.mark.parametrize(("field", "value"), pairs(WRONG))
def test_a_field_of_a_wrong_type_is_refused_by_name(field, value):
    with pytest.raises(HostError, match=rf"^Account\.{field} must "):
        make_account(**{field: value})


@pytest.mark.parametrize(("field", "value"), pairs(WRONG_OF_CALLER))
def test_a_caller_of_a_wrong_shape_is_refused_by_name(field, value):
    with pytest.raises(TypeError, match=rf"^Caller\.{field} must "):
        Caller(**{"account": BOB, field: value})


def test_a_value_that_may_be_a_secret_is_in_no_refusal():
    with pytest.raises(HostError) as caught:
        Caller(account=BOB, sign_in=b"hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_request_without_agent_and_sign_in_is_a_caller():
    caller = Caller(account=BOB, address=None, agent=None, sign_in=None)
    assert (caller.address, caller.agent, caller.sign_in) == ("", "", "")


@pytest.mark.parametrize("nobody", [None, False, Caller(account=None)])
def test_nobody_is_signed_in(make_host, nobody):
    host = make_host(identify=lambda: nobody)
    assert host.app.test_client().post(URL).status_code == 401


@pytest.mark.parametrize("given", [BOB, "bob", True, 0, {}, object()])
def test_an_identify_that_gives_something_else_is_named(make_host, given):
    host = make_host(identify=lambda: given)
    with pytest.raises(HostError, match=r"^identify: it gave .* must give a Caller or None"):
        host.app.test_client().post(URL)


def test_an_identify_that_makes_a_wrong_account_is_named(make_host):
    host = make_host(identify=lambda: Caller(account=Account(id=7, username="bob")))
    with pytest.raises(HostError, match=r"^identify: Account\.id must be a text"):
        host.app.test_client().post(URL)


class Giving(HostAccounts):
    """Accounts one of whose methods gives what a test wants."""

    def __init__(self, method, given):
        super().__init__(BOB, SUE)
        make = given if callable(given) else lambda: given
        setattr(self, method, lambda *args, **kwargs: make())


WRONGLY_GIVEN = {
    "find": ("bob", 7, False, lambda: Account(id=7, username="bob")),
    "end_sessions": (None, "2"),
    "drop_keys": (None, "yes"),
}


@pytest.mark.parametrize(("method", "given"), pairs(WRONGLY_GIVEN))
def test_a_method_that_gives_something_else_is_named_and_nothing_is_done(make_host, method, given):
    host = make_host(accounts=Giving(method, given))
    host.give_key()
    with pytest.raises(HostError, match=rf"^Giving\.{method}: "):
        host.reset(SUE, host.code(SUE), username="bob")
    assert host.count(KeyPair) == 1


@pytest.mark.parametrize(("rows", "outcome"), [(2, "reset"), (-1, "nothing-to-reset")])
def test_a_count_of_dropped_rows_will_do_if_it_is_known(make_host, rows, outcome):
    host = make_host(accounts=Giving("drop_keys", rows))
    host.reset(SUE, host.code(SUE), username="bob")
    assert host.audited()[-1][-1] == outcome


@pytest.mark.parametrize("method", ["get", "find_by_email"])
def test_a_lookup_that_gives_something_else_is_named(make_host, method):
    host = make_host(accounts=Giving(method, "bob"))
    with pytest.raises(HostError, match=rf"^Giving\.{method}: it gave an object of str"):
        getattr(host.runtime.accounts, method)(None, "bob")


@pytest.mark.parametrize(
    ("given", "status"), [(True, 200), (False, 400), (None, 400), (1, 400), ("yes", 400)]
)
def test_only_true_is_the_right_password(make_host, caplog, given, status):
    account = make_account("bob", has_password=True)
    accounts = Giving("check_password", given)
    accounts.accounts[account.id] = account
    host = make_host(accounts=accounts, E2ERESET_METHODS=["password"])
    assert host.reset(account, "a" * 64).status_code == status
    assert ("Giving.check_password gave" in caplog.text) == (type(given) is not bool)


@pytest.mark.parametrize(("given", "status"), [(True, 200), (False, 401), (None, 401), (1, 401)])
def test_only_true_is_a_live_sign_in(make_host, given, status):
    caller = Caller(account=BOB, sign_in="x")
    host = make_host(accounts=Giving("is_signed_in", given), identify=lambda: caller)
    assert host.reset(BOB, host.code()).status_code == status


@pytest.mark.parametrize("method", ["get", "find", "check_password"])
def test_accounts_that_lack_a_method_are_refused_at_start(method):
    methods = dict.fromkeys({"get", "find", "check_password"} - {method}, print)
    with pytest.raises(SettingsError, match=rf"\.{method} is missing"):
        E2EReset(db=SQLAlchemy(), accounts=SimpleNamespace(**methods), identify=lambda: None)


def test_a_class_in_the_place_of_accounts_is_refused_at_start():
    with pytest.raises(SettingsError, match=r"the class MemoryAccounts\. Give an object"):
        E2EReset(db=SQLAlchemy(), accounts=MemoryAccounts, identify=lambda: None)


def test_a_model_in_the_place_of_accounts_is_refused_at_start():
    class User: ...

    with pytest.raises(SettingsError, match=r"^User\.get is missing.* SQLAlchemyAccounts"):
        E2EReset(db=SQLAlchemy(), accounts=User, identify=lambda: None)


def test_an_identify_that_is_no_function_is_refused_at_start(make_host):
    with pytest.raises(SettingsError, match="identify is an object of Account"):
        make_host(identify=BOB)


def test_asynchronous_accounts_are_refused_at_start():
    class Accounts(MemoryAccounts):
        async def find(self, session, username): ...

    with pytest.raises(SettingsError, match=r"Accounts\.find is asynchronous"):
        E2EReset(db=SQLAlchemy(), accounts=Accounts(), identify=lambda: None)

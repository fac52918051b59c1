"""Grants that a host holds: only True lets a machine skip the proof."""

from types import SimpleNamespace

import pytest

from e2ereset import Action, Caller, Proof
from e2ereset.errors import NotAllowed
from e2ereset.factors.grants import Grants
from e2ereset.hosted import check_accounts
from e2ereset.records import ActionRequest
from e2ereset.testing import make_account


def asked(grant="nightly", code=None):
    caller = Caller(account=make_account(), grant=grant)
    return ActionRequest(caller=caller, proof=Proof(code=code), action=Action(name="x"), now=1)


def grants_of(**methods):
    needed = dict.fromkeys(("get", "find", "check_password"), lambda *_: None)
    return Grants(check_accounts(SimpleNamespace(**needed, **methods)))


@pytest.mark.parametrize("given", [False, None, 1, "yes"])
def test_a_host_that_does_not_say_true_lets_nobody_skip_the_proof(given):
    grants = grants_of(has_grant=lambda *_: given, use_grant=lambda *_: given)
    assert not grants.cover(None, asked())
    with pytest.raises(NotAllowed):
        grants.use(None, asked())


def test_a_grant_covers_a_request_without_a_code_of_a_sign_in_that_has_one():
    grants = grants_of(has_grant=lambda *_: True, use_grant=lambda *_: True)
    assert grants.cover(None, asked())
    assert not grants.cover(None, asked(grant=""))
    assert not grants.cover(None, asked(code="1"))
    assert not grants_of().cover(None, asked())

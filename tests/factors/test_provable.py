"""A factor that this request cannot prove: another is asked for, or the action is refused."""

import pytest

from e2ereset import Strategy
from e2ereset.testing import MemoryAccounts, enrol_totp, make_account

ANN = make_account("ann", has_password=True)


class Paper(Strategy):
    """A factor that everybody has, and no request can prove."""

    name = "paper"

    def usable(self, attempt):
        return True

    def provable(self, attempt):
        return False

    def verify(self, attempt, code):
        return True


@pytest.fixture
def host(make_host):
    methods = [Paper, "totp", "password"]
    return make_host(accounts=MemoryAccounts(ANN), E2ERESET_METHODS=methods)


def test_another_factor_is_asked_for(host):
    device = enrol_totp(host.app, ANN)
    assert host.reset(ANN).json["details"]["method"] == "totp"
    assert host.reset(ANN, device.code()).status_code == 200


@pytest.mark.parametrize("code", [None, "any"])
def test_the_password_does_not_stand_in_for_it(host, code):
    assert host.reset(ANN, code).json["errorType"] == "error-two-factor-not-available"

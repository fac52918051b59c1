"""The contract over every built-in strategy, and over one of a third party."""

import hashlib
import re

import pyotp
from sqlalchemy import select

from e2ereset.factors.budgets import Budgets
from e2ereset.factors.changes import FactorChanges
from e2ereset.factors.enrolment import Factors
from e2ereset.factors.strategies import EmailStrategy, PasswordStrategy, TotpStrategy
from e2ereset.jobs.models import Job
from e2ereset.testing import StrategyContract
from tests.kit.paths import ROOT


def factors(bench):
    """The enrolment service over a bench."""
    budgets = Budgets(bench.transactions)
    return Factors(bench.parts, budgets, FactorChanges(bench.parts, budgets))


class TestTotp(StrategyContract):
    strategy_class = TotpStrategy

    def enable(self, bench, account):
        made = factors(bench).enrol_totp(account)
        if account == bench.bob:
            self.totp, self.backup_codes = pyotp.TOTP(made.secret), iter(made.backup_codes)

    def right_code(self, bench, attempt):
        return self.totp.at(attempt.now)

    def test_nothing_is_said_of_a_code_that_could_pass(self, bench, code):
        with bench.trying() as attempt:
            assert bench.strategy.explain(attempt, code) == {}


class TestBackupCodes(TestTotp):
    def right_code(self, bench, attempt):
        return next(self.backup_codes)


class TestEmail(StrategyContract):
    strategy_class = EmailStrategy
    binds_action = True

    def enable(self, bench, account):
        factors(bench).set_email(account, True)

    def right_code(self, bench, attempt):
        bench.strategy.challenge(attempt)
        row = attempt.session.scalars(select(Job).filter_by(kind="code")).one()
        return bench.jobs.facts(row)["code"]


class TestPassword(StrategyContract):
    strategy_class = PasswordStrategy
    single_use = False

    def enable(self, bench, account):
        digest = hashlib.sha256(account.username.encode()).hexdigest()
        bench.accounts.passwords[account.id] = digest

    def right_code(self, bench, attempt):
        return bench.accounts.passwords[attempt.account.id].upper()


# The third party's is the one in the documentation: its strategy, and its contract.

PAGE = ROOT / "docs" / "strategies.md"
for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
    exec(compile(block, str(PAGE), "exec"), globals())

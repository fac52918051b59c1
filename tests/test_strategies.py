"""The contract over every built-in strategy, and over one of a third party."""

import hashlib

import pyotp
from sqlalchemy import Column, MetaData, String, Table, delete, insert, select

from e2ereset import Strategy
from e2ereset.audit import AuditLog
from e2ereset.models import EmailFactor, OutboxMail
from e2ereset.services.factors import Factors
from e2ereset.sql import run
from e2ereset.stepup import StepUp
from e2ereset.strategies import EmailStrategy, PasswordStrategy, TotpStrategy
from e2ereset.testing import StrategyContract


def factors(bench):
    """The enrolment service over a bench."""
    tools = bench.tools
    stepup = StepUp(
        transactions=bench.transactions,
        strategies=(),
        settings=tools.settings,
        audit=AuditLog(tools.keyring, tools.entropy),
        outbox=tools.outbox,
        accounts=tools.accounts,
    )
    return Factors(bench.transactions, tools, stepup, bench.clock)


class TestTotp(StrategyContract):
    strategy_class = TotpStrategy

    def enable(self, bench, account):
        secret = factors(bench).enrol_totp(account).secret
        if account == bench.bob:
            self.secret = secret

    def right_code(self, bench, attempt):
        return pyotp.TOTP(self.secret).at(attempt.now)


class TestBackupCodes(StrategyContract):
    strategy_class = TotpStrategy

    def enable(self, bench, account):
        codes = factors(bench).enrol_totp(account).backup_codes
        if account == bench.bob:
            self.codes = iter(codes)

    def right_code(self, bench, attempt):
        return next(self.codes)


class TestEmail(StrategyContract):
    strategy_class = EmailStrategy
    binds_action = True

    def enable(self, bench, account):
        with bench.transactions.begin() as session:
            session.add(EmailFactor(account_id=account.id, enabled_at=0))

    def right_code(self, bench, attempt):
        bench.strategy.challenge(attempt)
        row = attempt.session.scalars(select(OutboxMail).filter_by(kind="code")).one()
        return bench.outbox.open("code", row.recipient, row.sealed)["code"]


class TestPassword(StrategyContract):
    strategy_class = PasswordStrategy
    single_use = False

    def enable(self, bench, account):
        digest = hashlib.sha256(account.username.encode()).hexdigest()
        bench.accounts.passwords[account.id] = digest

    def right_code(self, bench, attempt):
        return bench.accounts.passwords[attempt.account.id].upper()


PHRASES = Table(
    "phrases", MetaData(), Column("account_id", String(255)), Column("digest", String(80))
)


class PhraseStrategy(Strategy):
    """A third party's: recovery phrases on paper, each good once."""

    name = "phrase"

    def usable(self, attempt):
        mine = select(PHRASES).where(PHRASES.c.account_id == attempt.account.id)
        return attempt.session.execute(mine).first() is not None

    def verify(self, attempt, code):
        digests = self.tools.keyring.digests("phrase", attempt.account.id, code)
        mine = delete(PHRASES).where(
            PHRASES.c.account_id == attempt.account.id, PHRASES.c.digest.in_(digests)
        )
        return run(attempt.session, mine).rowcount == 1


class TestPhrase(StrategyContract):
    strategy_class = PhraseStrategy

    def enable(self, bench, account):
        PHRASES.create(bench.engine, checkfirst=True)
        digest = bench.tools.keyring.digest("phrase", account.id, f"{account.id} horse")
        with bench.transactions.begin() as session:
            session.execute(insert(PHRASES), {"account_id": account.id, "digest": digest})

    def right_code(self, bench, attempt):
        return f"{attempt.account.id} horse"

"""The life of a mailed code and of its budgets, as a state machine that hypothesis drives."""

import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from e2ereset.errors import FactorInvalid, FactorRequired, TooManyAttempts
from e2ereset.factors.challenges import attempt_of
from e2ereset.jobs.models import Job
from e2ereset.records import Action, ActionRequest, Caller, Proof
from e2ereset.testing import enable_email
from tests.kit.databases import new_database
from tests.kit.host import BOB, Host
from tests.kit.ram import memory

pytestmark = pytest.mark.long

TARGETS = st.sampled_from(["b", "c"])
LIFE = 600


class MailedCode(RuleBasedStateMachine):
    """What a model of one page says must be what the library does."""

    def __init__(self):
        super().__init__()
        self.ends = ExitStack()
        folder = Path(self.ends.enter_context(tempfile.TemporaryDirectory(dir=memory())))
        host = Host(self.ends.enter_context(new_database(folder)), E2ERESET_METHODS=["email"])
        self.ends.callback(host.dispose)
        enable_email(host.app, BOB)
        self.runtime = host.runtime
        self.now = 1_800_000_000
        self.live = None  # (target, [(code, expires), ...], tries left); one code or two
        self.spent = set()
        self.windows = {300: (0, 0), 3600: (0, 0), 86400: (0, 0)}  # length: (opened at, tries)

    def teardown(self):
        self.ends.close()

    def asked(self, target, code=None):
        return ActionRequest(
            caller=Caller(account=BOB),
            proof=Proof(code=code),
            action=Action(name="reset-e2e-key", target=target, phrase="sign in as x"),
            now=self.now,
        )

    def attempt(self, target, code=None):
        try:
            return self.runtime.stepup.run(self.asked(target, code), lambda _passed: "passed")
        except (FactorRequired, FactorInvalid, TooManyAttempts) as refusal:
            return type(refusal)

    def living(self):
        """The live codes, of whatever target."""
        if not self.live or self.live[2] == 0:
            return []
        return [(code, expires) for code, expires in self.live[1] if expires > self.now]

    def is_live(self, target):
        return bool(self.living()) and self.live[0] == target

    def is_spent(self):
        most = {300: 5, 3600: 20, 86400: 50}
        return any(
            start + length > self.now and tries >= most[length]
            for length, (start, tries) in self.windows.items()
        )

    def count_try(self):
        for length, (start, tries) in self.windows.items():
            over = start + length <= self.now
            self.windows[length] = (self.now, 1) if over else (start, tries + 1)

    def mailed(self):
        """The codes that were mailed, oldest first."""
        with self.runtime.transactions.read() as session:
            rows = session.query(Job).filter_by(kind="code").order_by(Job.id).all()
        return [self.runtime.jobs.facts(row)["code"] for row in rows]

    def answer(self, whom, code, *, right):
        """Answer with this code, and see what is said."""
        answer = self.attempt(whom, code)
        if self.is_spent():
            assert answer is TooManyAttempts
            return
        self.count_try()
        if right:
            assert answer == "passed"
            assert code not in self.spent
            self.spent.add(code)
            self.live = None
            self.windows = {n: (start, tries - 1) for n, (start, tries) in self.windows.items()}
        else:
            assert answer is FactorInvalid
            if self.is_live(whom):
                bound, codes, left = self.live
                self.live = (bound, codes, left - 1)

    @rule(seconds=st.sampled_from([1, 31, 301, 601, 3601, 86401]))
    def wait(self, seconds):
        self.now += seconds

    @rule(whom=TARGETS)
    def ask(self, whom):
        before = self.mailed()
        answer = self.attempt(whom)
        if (mailed := self.mailed()) != before:
            assert answer is FactorRequired
            assert not self.is_live(whom)
            self.live = (whom, [(mailed[-1], self.now + LIFE)], 5)

    @rule(whom=TARGETS)
    def a_stranger_asks(self, whom):
        living, before = self.living(), self.mailed()
        with suppress(TooManyAttempts), self.runtime.transactions.read() as session:
            attempt = attempt_of(self.asked(whom), session)
            self.runtime.stepup.challenges.resend(attempt, "email", by_owner=False)
        if (mailed := self.mailed()) != before:
            codes, left = [(mailed[-1], self.now + LIFE)], 5
            if living:
                assert self.live[0] == whom
                codes, left = [living[0], *codes], self.live[2]
            self.live = (whom, codes, left)

    @rule(whom=TARGETS, second=st.booleans())
    @precondition(lambda self: self.live)
    def answer_right(self, whom, second):
        code, expires = self.live[1][-1 if second else 0]
        self.answer(whom, code, right=self.is_live(whom) and expires > self.now)

    @rule(whom=TARGETS)
    def answer_wrong(self, whom):
        self.answer(whom, "000000", right=False)


TestMailedCode = MailedCode.TestCase
TestMailedCode.settings = settings(
    stateful_step_count=20,
    suppress_health_check=list(HealthCheck),
)

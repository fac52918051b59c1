"""The life of a mailed code and of its budgets, as a state machine that hypothesis drives."""

import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

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
            action=Action(name="reset-e2e-key", target=target, phrase="x"),
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

    def newest_code(self):
        with self.runtime.transactions.read() as session:
            newest = Job.id.desc()
            row = session.query(Job).filter_by(kind="code").order_by(newest).first()
            return self.runtime.jobs.facts(row)["code"]

    @rule(seconds=st.sampled_from([1, 31, 301, 601, 3601, 86401]))
    def wait(self, seconds):
        self.now += seconds

    @rule(whom=TARGETS)
    def ask(self, whom):
        mails = self.count_mails()
        answer = self.attempt(whom)
        if self.count_mails() > mails:
            assert answer is FactorRequired
            assert not self.is_live(whom)
            self.live = (whom, [(self.newest_code(), self.now + LIFE)], 5)

    @rule(whom=TARGETS)
    def a_stranger_asks(self, whom):
        living, mails = self.living(), self.count_mails()
        with suppress(TooManyAttempts), self.runtime.transactions.read() as session:
            attempt = attempt_of(self.asked(whom), session)
            self.runtime.stepup.challenges.resend(attempt, "email", by_owner=False)
        if self.count_mails() == mails:
            return
        code = (self.newest_code(), self.now + LIFE)
        if living:
            assert self.live[0] == whom
            self.live = (whom, [living[0], code], self.live[2])
        else:
            self.live = (whom, [code], 5)

    @rule(whom=TARGETS, second=st.booleans())
    @precondition(lambda self: self.live)
    def answer_right(self, whom, second):
        codes = self.live[1]
        code, expires = codes[-1 if second else 0]
        live = self.is_live(whom) and expires > self.now
        counted = self.is_live(whom)
        if self.is_spent():
            assert self.attempt(whom, code) is TooManyAttempts
        elif live:
            assert self.attempt(whom, code) == "passed"
            assert code not in self.spent
            self.spent.add(code)
            self.live = None
            self.count_try()
            self.windows = {n: (start, tries - 1) for n, (start, tries) in self.windows.items()}
        else:
            assert self.attempt(whom, code) is FactorInvalid
            self.count_try()
            if counted:
                self.live = (whom, codes, self.live[2] - 1)

    @rule(whom=TARGETS)
    def answer_wrong(self, whom):
        spent, live = self.is_spent(), self.is_live(whom)
        assert self.attempt(whom, "000000") is (TooManyAttempts if spent else FactorInvalid)
        if not spent:
            self.count_try()
            if live:
                bound, codes, left = self.live
                self.live = (bound, codes, left - 1)

    def count_mails(self):
        with self.runtime.transactions.read() as session:
            return session.query(Job).filter_by(kind="code").count()


TestMailedCode = MailedCode.TestCase
TestMailedCode.settings = settings(
    stateful_step_count=20,
    suppress_health_check=list(HealthCheck),
)

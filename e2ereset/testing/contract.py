"""What every second-factor strategy has to hold, as a test class to inherit.

class TestPhrase(StrategyContract):
    strategy_class = PhraseStrategy

    def enable(self, bench, account): ...
    def right_code(self, bench, attempt): ...
"""

import json
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from e2ereset.audit import AuditTrail
from e2ereset.crypto import KeyRing
from e2ereset.factors.strategies.base import Strategy
from e2ereset.factors.strategies.checks import check_calls, check_class
from e2ereset.jobs import Queue
from e2ereset.parts import Parts
from e2ereset.records import Account, Action, Attempt
from e2ereset.settings import load_settings
from e2ereset.store.tables import Base
from e2ereset.store.transactions import Transactions

from .doubles import FakeClock, MemoryAccounts, make_account

GARBAGE = ("", " ", "0", "x", "-" * 8, "\0", "é" * 6, "١٢٣٤٥٦", "\ud800", "²²²²²²", "9" * 10_000)

SETTINGS = {
    "SECRET_KEY": "a key for tests only",
    "E2ERESET_PAGES_URL": "https://app.example.org/security",
}


class Bench:
    """A database file, a clock and three accounts, with the strategy under test on it.

    bob has the method, eve may be given it, ned never has any.
    """

    def __init__(self, folder: Path, strategy_class: type[Strategy]) -> None:
        path = folder / "contract.sqlite3"
        path.write_bytes(_empty_database())
        self.engine = create_engine(f"sqlite:///{path}")
        self.transactions = Transactions(lambda: self.engine)
        self.clock = FakeClock()
        self.bob, self.eve = (make_account(name, has_password=True) for name in ("bob", "eve"))
        self.ned = make_account("ned")
        self.accounts = MemoryAccounts(self.bob, self.eve, self.ned)
        keyring = KeyRing(["a key for tests only"])
        self.jobs = Queue(keyring)
        self.parts = Parts(
            settings=load_settings(SETTINGS),
            clock=self.clock,
            entropy=secrets,
            transactions=self.transactions,
            keyring=keyring,
            accounts=self.accounts,
            jobs=self.jobs,
            audit=AuditTrail(keyring, secrets),
        )
        self.strategy = strategy_class(self.parts)

    def attempt(self, session: Session, account: Account | None = None) -> Attempt:
        """An attempt of bob, or of another account, to reset bob's key now."""
        action = Action(name="reset-e2e-key", target=self.bob.id, phrase="reset the E2E key of bob")
        now = int(self.clock())
        return Attempt(account=account or self.bob, action=action, now=now, session=session)

    @contextmanager
    def trying(self, account: Account | None = None, **changes: Any) -> Iterator[Attempt]:
        """An attempt in a transaction that commits; `changes` are those of its fields."""
        with self.transactions.begin() as session:
            yield replace(self.attempt(session, account), **changes)

    def verify(self, code: str, account: Account | None = None, **changes: Any) -> bool:
        """Whether the strategy takes the code, in a transaction of its own."""
        with self.trying(account, **changes) as attempt:
            return self.strategy.verify(attempt, code)

    def contents(self) -> list[str]:
        """All that the database holds, as SQL."""
        with self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            return list(driver.iterdump())


@cache
def _empty_database() -> bytes:
    """A file of SQLite with our tables: to copy it is faster than to make them for each test."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        made: bytes = driver.serialize()
    engine.dispose()
    return made


class StrategyContract:
    """Inherit this, set `strategy_class`, and write `enable` and `right_code`."""

    strategy_class: ClassVar[type[Strategy]]
    single_use: ClassVar[bool] = True
    """False for what stays good after it was used, such as a password."""
    binds_action: ClassVar[bool] = False
    """True where a code is for one action and one target only."""

    def enable(self, bench: Bench, account: Account) -> None:
        """Set the method up for this account."""
        raise NotImplementedError

    def right_code(self, bench: Bench, attempt: Attempt) -> str:
        """A code that is right for the attempt; a fresh one at every call."""
        raise NotImplementedError

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        """The strategy on a database with bob and eve; bob has it enabled."""
        bench = Bench(tmp_path, self.strategy_class)
        self.enable(bench, bench.bob)
        yield bench
        bench.engine.dispose()

    @pytest.fixture
    def code(self, bench: Bench) -> str:
        """A code that is right for bob."""
        with bench.trying() as attempt:
            return self.right_code(bench, attempt)

    def test_its_class_can_be_loaded(self, bench: Bench) -> None:
        """It has a name that clients can write in `x-2fa-method`, and methods that answer at once.

        They take what they are called with.
        """
        assert self.strategy_class.name
        assert self.strategy_class.name.isascii()
        check_class(self.strategy_class)
        check_calls(bench.strategy)

    def test_it_answers_true_or_false(self, bench: Bench, code: str) -> None:
        """Only True itself passes, so nothing else may be meant for it."""
        with bench.trying() as attempt:
            answers = [bench.strategy.usable(attempt), bench.strategy.verify(attempt, code)]
        assert [type(answer) for answer in answers] == [bool, bool]

    def test_it_is_usable_where_it_is_enabled(self, bench: Bench) -> None:
        """Enabled is usable, and nothing else is."""
        for account, usable in ((bench.bob, True), (bench.ned, False)):
            with bench.trying(account) as attempt:
                assert bench.strategy.usable(attempt) is usable

    def test_a_wrong_code_is_false(self, bench: Bench, code: str) -> None:
        """A code with one character wrong does not pass, and spends nothing of the right one."""
        assert bench.verify(code[:-1] + ("2" if code[-1] == "1" else "1")) is False
        assert bench.verify(code)

    def test_a_code_is_good_once(self, bench: Bench, code: str) -> None:
        """A single-use code does not pass again."""
        assert bench.verify(code)
        assert bench.verify(code) is not self.single_use

    @pytest.mark.parametrize("garbage", GARBAGE, ids=ascii)
    def test_garbage_is_false_and_no_fault(self, bench: Bench, garbage: str) -> None:
        """Any text may come as a code, and what it says of a refused one is JSON."""
        assert bench.verify(garbage) is False
        with bench.trying() as attempt:
            json.dumps(dict(bench.strategy.explain(attempt, garbage)))

    def test_a_code_of_another_account_is_false(self, bench: Bench, code: str) -> None:
        """A code proves the account it was made for, and no other, with the method or without."""
        self.enable(bench, bench.eve)
        assert bench.verify(code, bench.eve) is False
        assert bench.verify(code, bench.ned) is False
        assert bench.verify(code)

    def test_a_code_for_another_action_or_target_is_false(self, bench: Bench, code: str) -> None:
        """Where codes are bound, they are worth nothing elsewhere."""
        if self.binds_action:
            assert not bench.verify(code, action=Action(name="login", target=bench.bob.id))
            assert not bench.verify(code, action=Action(name="reset-e2e-key", target="x"))
        assert bench.verify(code)

    def test_a_rolled_back_code_is_still_good(self, bench: Bench, code: str) -> None:
        """The code is burnt in the caller's transaction, which verify does not end."""
        with bench.transactions.read() as session:
            transaction = session.begin()
            assert bench.strategy.verify(bench.attempt(session), code)
            assert session.get_transaction() is transaction
            transaction.rollback()
        assert bench.verify(code)

    def test_asking_changes_nothing(self, bench: Bench, code: str) -> None:
        """`usable` and `pending` leave the database as it is, and the code as good."""
        before = bench.contents()
        with bench.trying() as attempt:
            bench.strategy.usable(attempt)
            bench.strategy.pending(attempt)
        assert bench.contents() == before
        assert bench.verify(code)

    def test_a_challenge_that_was_sent_is_pending(self, bench: Bench) -> None:
        """What sends, or needs a page, has nothing pending at first; what does not always has."""
        starts = bench.strategy.sends or bench.strategy.on_page
        with bench.trying() as attempt:
            assert (bench.strategy.pending(attempt) is None) is starts
            if starts:
                json.dumps(dict(bench.strategy.challenge(attempt).details))
                assert bench.strategy.pending(attempt) is not None

    def test_of_two_at_once_one_passes(self, bench: Bench, code: str) -> None:
        """One single-use code, two threads: exactly one is let in."""
        barrier = threading.Barrier(2, timeout=10)

        def verify_once(_thread: int) -> bool:
            """Verify it when the other thread does."""
            barrier.wait()
            return bench.verify(code)

        with ThreadPoolExecutor(2) as pool:
            passed = sorted(pool.map(verify_once, range(2)))
        assert passed == [not self.single_use, True]

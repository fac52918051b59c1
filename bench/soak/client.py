"""A client: makes moves whose right answer it knows, and settles those without an answer."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from tests.kit.relay import Relay

from .http import Answer, Line
from .outages import BROKEN, BUSY
from .people import Person
from .record import Record
from .states import State, between, differences, read_states

UNANSWERED = {BROKEN, "502", "503", "504"}
SETTLE_SECONDS = 4.0
"""What was under way has ended by then: a broken connection ends its transaction at once."""
BUSY_TRIES = 10
"""So often is a request sent while the server is busy; a code is good for longer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A request, its right answer, and the states that it leaves behind.

    `whole` says that a request without an answer has done all of it or nothing; `loose` names
    the counts that may grow by chance. `done` hears of the answer, None where there was none.
    """

    what: str
    send: Callable[[], Answer]
    right: str
    after: dict[Person, State]
    whole: bool = True
    loose: frozenset[str] = frozenset()
    done: Callable[[Answer | None], None] = field(default=lambda _answer: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A move that waits for a look at the database."""

    move: Move
    before: dict[Person, State]
    answered: bool
    due: float


class Client:
    """Drives its people, one move after the other."""

    def __init__(
        self, line: Line, people: list[Person], *, record: Record, relay: Relay, engine: Engine
    ) -> None:
        self.line, self.people, self.record, self.relay = line, people, record, relay
        self.engine = engine
        self.random = random.Random(line.address)
        self.pool = ThreadPoolExecutor(1)
        self._parked: list[Parked] = []

    def ready(self, *kinds: str) -> list[Person]:
        """The people of these kinds whose state is known."""
        parked = {person for one in self._parked for person in one.before}
        return [
            person
            for person in self.people
            if person not in parked and not person.retired and (not kinds or person.kind in kinds)
        ]

    def play(self, move: Move) -> Answer | None:
        """Make the move. Its answer when that was right; None otherwise, and while it is open."""
        before = {person: person.state for person in move.after}
        answer = self._send(move)
        if answer.kind == move.right and move.loose:
            self._park(move, before, answered=True)
            return None
        if answer.kind == move.right:
            self._adopt(move, answer)
            return answer
        for person in before:
            person.wrong += 1
        if answer.kind in UNANSWERED:
            for person in before:
                person.quiet = True  # a code that was not looked at waits, and no new one is mailed
            self._unanswered(move, answer)
            if before != move.after:
                self._park(move, before, answered=False)
            time.sleep(0.5)
            return None
        self._wrong(move, f"answered {answer.kind}, not {move.right}")
        return None

    def settle_due(self, *, all_of_them: bool = False) -> None:
        """Look up what moves without an answer have done."""
        due = [p for p in self._parked if all_of_them or p.due <= time.time()]
        for parked in due:
            try:
                with self.engine.connect() as connection:
                    found = read_states(connection, [person.id for person in parked.before])
            except SQLAlchemyError:
                return
            self._parked.remove(parked)
            self._settle(parked, found)

    @property
    def is_settled(self) -> bool:
        """Whether no move is open."""
        return not self._parked

    def _send(self, move: Move) -> Answer:
        """Send it, and again a little later while the server is busy, as its clients are told."""
        for left in reversed(range(BUSY_TRIES)):
            answer = move.send()
            self.record.answered(move.what, answer.kind, answer.end - answer.start)
            if answer.kind != BUSY or not left:
                break
            time.sleep(0.5 + self.random.random())
        return answer

    def _adopt(self, move: Move, answer: Answer | None) -> None:
        for person, state in move.after.items():
            person.state = state
        move.done(answer)

    def _park(self, move: Move, before: dict[Person, State], *, answered: bool) -> None:
        due = time.time() + (0 if answered else SETTLE_SECONDS)
        self._parked.append(Parked(move=move, before=before, answered=answered, due=due))

    def _unanswered(self, move: Move, answer: Answer) -> None:
        if not self.record.outages.excuse(answer.kind, answer.start, answer.end):
            at = time.strftime("%H:%M:%S", time.localtime(answer.end))
            names = ", ".join(person.name for person in move.after)
            self.record.found(
                f"no answer: {move.what} of {names} got {answer.kind} at {at}, in no outage"
            )

    def _settle(self, parked: Parked, found: dict[str, State]) -> None:
        move, before = parked.move, parked.before
        after = {
            person: _loosened(state, found[person.id], before[person], move.loose)
            for person, state in move.after.items()
        }
        start = {
            person: _loosened(state, found[person.id], state, move.loose)
            for person, state in before.items()
        }
        for person in before:
            person.state = found[person.id]
        if all(found[person.id] == state for person, state in after.items()):
            if not parked.answered:
                self.record.settle("all of it")
            move.done(None)
        elif parked.answered:
            self._wrong(move, f"answered {move.right}, and then {_compared(found, after)}")
        elif all(found[person.id] == state for person, state in start.items()):
            self.record.settle("nothing")
        elif not move.whole and all(
            between(found[person.id], before[person], after[person]) for person in after
        ):
            self.record.settle("a part that may stand alone")
        else:
            self._wrong(move, f"half done: {_compared(found, after)}")

    def _wrong(self, move: Move, words: str) -> None:
        names = ", ".join(person.name for person in move.after)
        self.record.found(f"wrong answer: {move.what} of {names} {words}")
        for person in move.after:
            person.retired = True


def _loosened(wanted: State, found: State, before: State, loose: frozenset[str]) -> State:
    """The wanted state, with what may grow by chance taken as it was found."""
    grown = {
        name: getattr(found, name)
        for name in loose
        if getattr(before, name) <= getattr(found, name) <= getattr(before, name) + 2
    }
    return replace(wanted, **grown)


def _compared(found: dict[str, State], after: dict[Person, State]) -> str:
    words = (
        f"of {person.name} {differences(found[person.id], state)}"
        for person, state in after.items()
        if found[person.id] != state
    )
    return "; ".join(words)

"""Afterwards: what the databases and the mail box hold, against what the clients know."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from tests.kit.relay import Arrival

from .people import Person
from .record import Record
from .states import AUDIT, JOBS, RESETS, TOKENS, State, differences, read_states

WRITING_DOWN = {"worker", "database"}
"""Gone just after a mail went out, it is sent again: that could not be written down."""


NOTICES = ("Your E2E key was reset", "A reset of your E2E key was asked for")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail that came; `kind` is notice, code or other. `at` is in epoch seconds."""

    at: float
    recipient: str
    message_id: str
    kind: str

    @classmethod
    def of(cls, arrival: Arrival) -> "Mail":
        """What is checked of an arrival."""
        subject, mail = arrival.mail["Subject"], arrival.mail
        kind = "notice" if subject.startswith(NOTICES) else "other"
        kind = "code" if subject.startswith("Your code to") else kind
        return cls(at=arrival.at, recipient=mail["To"], message_id=mail["Message-ID"], kind=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is there after the run."""

    states: dict[str, State]
    tokens: set[str] = field(repr=False)
    addresses: set[str]
    strangers: int
    undelivered: int
    audit_problem: str
    arrivals: list[Mail]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mails:
    """The mails that came: how many different ones, and how many came again."""

    different: int
    again: int


def read_found(
    connection: Connection, people: list[Person], *, arrivals: list[Mail], audit_problem: str
) -> Found:
    """Read the database."""
    ids = [person.id for person in people]
    strangers = select(func.count()).where(AUDIT.c.outcome.in_(RESETS), AUDIT.c.target.not_in(ids))
    undelivered = select(func.count()).where(JOBS.c.delivered_at.is_(None))
    return Found(
        states=read_states(connection, ids),
        tokens=set(connection.scalars(select(TOKENS.c.digest))),
        addresses=set(connection.scalars(select(AUDIT.c.address).distinct())),
        strangers=connection.scalar(strangers) or 0,
        undelivered=connection.scalar(undelivered) or 0,
        audit_problem=audit_problem,
        arrivals=arrivals,
    )


def check(record: Record, found: Found) -> list[str]:
    """Everything that is wrong; nothing when the run was right."""
    return [
        *record.findings,
        *_check_states(record, found),
        *_check_tokens(record, found),
        *_check_mails(record, found),
        *_check_log(record, found),
    ]


def count_mails(arrivals: list[Mail]) -> Mails:
    """How many mails came, by Message-ID."""
    different = len({(a.recipient, a.message_id) for a in arrivals})
    return Mails(different=different, again=len(arrivals) - different)


def _check_states(record: Record, found: Found) -> Iterator[str]:
    for person in record.people:
        state, wanted = found.states[person.id], person.state
        if state == wanted or person.retired:  # a retired one has its finding already
            continue
        told = f"{person.name} was reset {wanted.resets} times, the log says {state.resets}"
        if state.resets < wanted.resets:
            yield f"lost audit row: {told}"
        elif state.resets > wanted.resets:
            yield f"reset without a request: {told}"
        else:
            yield f"half done: of {person.name} {differences(state, wanted)}"


def _check_tokens(record: Record, found: Found) -> Iterator[str]:
    for person in record.people:
        if alive := len(person.dead & found.tokens):
            yield f"dead token alive: {alive} of {person.name}"
        if gone := len(person.live - found.tokens):
            yield f"live token gone: {gone} of {person.name}"


def _check_mails(record: Record, found: Found) -> Iterator[str]:
    arrived: dict[str, Counter[str]] = defaultdict(Counter)
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for arrival in found.arrivals:
        key = (arrival.recipient, arrival.message_id)
        if key not in times:
            arrived[arrival.recipient][arrival.kind] += 1
        times[key].append(arrival.at)
    for person in record.people:
        for address in person.addresses:
            yield from _check_inbox(person, address, arrived.pop(address, Counter()))
    for address in arrived:
        yield f"stray mail: {address} is nobody's verified address"
    yield from _check_repeats(record, times)


def _check_inbox(person: Person, address: str, arrived: Counter[str]) -> Iterator[str]:
    each = len(person.addresses)
    wanted = {
        "notice": person.state.notices // each,
        "code": person.state.codes // each,
        "other": person.state.others // each,
    }
    for kind, number in wanted.items():
        if arrived[kind] != number and not person.retired:
            words = "lost" if arrived[kind] < number else "double"
            yield f"{words} mail: {address} got {arrived[kind]} of kind {kind}, not {number}"


def _check_repeats(record: Record, times: dict[tuple[str, str], list[float]]) -> Iterator[str]:
    for (recipient, _), moments in times.items():
        first = min(moments)
        if len(moments) > 1 and not record.outages.during(WRITING_DOWN, first, first + 2):
            yield f"double mail: one came {len(moments)} times to {recipient}, in no outage"


def _check_log(record: Record, found: Found) -> Iterator[str]:
    if found.strangers:
        yield f"reset without a request: {found.strangers} of people whom no client drives"
    if found.undelivered:
        yield f"lost mail: {found.undelivered} still in the outbox"
    if found.audit_problem:
        yield f"audit log: {found.audit_problem}"
    for address in sorted(found.addresses - record.addresses):
        yield f"wrong address: the audit log names {address!r}, where no client is"

"""The run in a page of plain text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import quantiles

from .checker import Found, count_mails
from .outages import BROKEN
from .parts import REQUESTS_A_MINUTE
from .record import Record

LISTED = 40
NO_ANSWER = ("502", "503", "504", BROKEN)


def summarize(record: Record, found: Found, findings: Sequence[str], words: str) -> Iterator[str]:
    """The lines of the page, ending with what is wrong."""
    yield words
    yield ""
    yield from _outages(record)
    yield ""
    yield from _answers(record)
    yield ""
    yield from _numbers(record, found)
    yield ""
    if not findings:
        yield "Nothing is wrong: 0 wrong answers, 0 lost or double rows or mails."
        return
    yield f"{len(findings)} THINGS ARE WRONG:"
    yield from (f"  {finding}" for finding in findings[:LISTED])
    if len(findings) > LISTED:
        yield f"  and {len(findings) - LISTED} more"


def _outages(record: Record) -> Iterator[str]:
    for outage in record.outages.all:
        length = (outage.end or outage.start) - outage.start
        yield f"{length:8.1f} s  {outage.words}"


def _answers(record: Record) -> Iterator[str]:
    yield f"{'number':>8}  what was asked, and the answer"
    for (what, kind), number in sorted(record.answers.items()):
        yield f"{number:8}  {what}: {kind}"


def _numbers(record: Record, found: Found) -> Iterator[str]:
    total: Counter[str] = Counter()
    for state in found.states.values():
        total.update({n: getattr(state, n) for n in ("resets", "sign_ins", "refused", "notices")})
    mails = count_mails(found.arrivals)
    kinds = Counter(kind for (_, kind), n in record.answers.items() for _ in range(n))
    p50, p99 = _percentiles(record.seconds)
    without = sum(kinds[kind] for kind in NO_ANSWER)
    settled = ", ".join(f"{how} {n}" for how, n in record.settled.most_common())
    yield f"{sum(kinds.values()):8}  requests: p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    yield f"{without:8}  of them without an answer; they had done: {settled or 'nothing'}"
    yield f"{total['resets']:8}  resets, each with its row in the audit log"
    yield f"{total['sign_ins']:8}  sign-ins, {total['refused']} refusals with their rows"
    yield f"{mails.different:8}  mails, {total['notices']} of them notices of resets"
    yield f"{mails.again:8}  mails that came again with the same Message-ID, each at an outage"
    yield (
        f"{len(record.bursts):8}  bursts of one address, each allowed {REQUESTS_A_MINUTE}"
        " requests over both hosts"
    )


def _percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    cuts = quantiles(seconds, n=100) if len(seconds) > 1 else [0.0] * 99
    return cuts[49] * 1000, cuts[98] * 1000

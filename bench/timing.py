"""`python -m bench.timing`: whether the time of an answer says who exists. 1 when it does.

Unknown, forbidden and wrong answers are timed in this process, in random order, one after the
other, in rounds of one each. The quieter half of the rounds counts, as for an attacker who can ask
again. Two kinds are told apart when a Mann-Whitney U test doubts that they are alike and their
medians differ by TELLING. `A/A` is the first kind once more, and shows the noise; with PLANTED on
top of it, it shows that such a difference is found.
"""

import argparse
import gc
import logging
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import NormalDist, mean, median, quantiles

from flask import Flask

from .strangers import Case, Strangers, serving

TELLING = 0.02  # of the median
PLANTED = 0.03
DOUBT = 0.001  # the chance of seeing so much between two that are alike
QUIET = 0.5  # of the rounds are kept: what else the machine does makes the others slow
KEPT = 0.9  # of the samples in them, for the same reason
WARM_UP = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What tells two samples apart: how far the median moved, in parts of itself and of the IQR.

    `above` is the chance that one of the second takes longer than one of the first, `p` that of
    two alike differing so much.
    """

    shift: float
    of_iqr: float
    above: float
    p: float

    @property
    def told(self) -> bool:
        """Whether the one can be told from the other."""
        return self.p < DOUBT and abs(self.shift) >= TELLING


def main() -> int:
    """Time every group and print its table. 1 when some answer can be told, or noise hides it."""
    parser = argparse.ArgumentParser(prog="python -m bench.timing", description=__doc__)
    parser.add_argument("--samples", type=int, default=2000)
    samples = parser.parse_args().samples
    logging.disable(logging.INFO)  # a line for each request, alike for all
    with tempfile.TemporaryDirectory(prefix="e2ereset-timing-") as name:
        return 0 if report(Path(name), samples) else 1


def report(folder: Path, samples: int) -> bool:
    """Print the tables. Whether every answer looks like the others of its group."""
    print(f"{samples} samples each, the quieter half of them; against the first of the group:")
    print(f"{'':42}{'median us':>10}{'shift %':>9}{'of IQR':>8}{'above':>7}{'p':>9}")
    good = True
    with serving(folder) as strangers:
        for title, cases in strangers.groups().items():
            same = replace(cases[0], name="A/A", taken=[])
            _time(strangers, [*cases, same], samples)
            _settle([*cases, same])
            print(title)
            good = _compare(cases, same) and good
    return good


def _time(strangers: Strangers, cases: Sequence[Case], samples: int) -> None:
    gc.disable()
    for number in range(WARM_UP + samples):
        strangers.next_round()
        for case in random.sample(cases, len(cases)):
            taken = _timed(strangers.app, case)
            if number >= WARM_UP:
                case.taken.append(taken)
        gc.collect(0)
    gc.enable()


def _settle(cases: Sequence[Case]) -> None:
    """Keep the quiet rounds, each brought to the pace of them all: a load hits all of a round."""
    rounds = sorted(zip(*(case.taken for case in cases), strict=True), key=_pace)
    rounds = rounds[: int(len(rounds) * QUIET)]
    common = median(map(_pace, rounds))
    scaled = [[taken * common / _pace(one) for taken in one] for one in rounds]
    for case, taken in zip(cases, zip(*scaled, strict=True), strict=True):
        case.taken[:] = taken


def _pace(taken: Sequence[float]) -> float:
    """The mean of a round without its extremes: no sample is its own measure."""
    return mean(sorted(taken)[1:-1])


def _timed(app: Flask, case: Case) -> float:
    environ, seen = case.request().get_environ(), []
    start = time.perf_counter()
    answer = app(environ, lambda status, _headers: seen.append(status))
    body = b"".join(answer)
    taken = time.perf_counter() - start
    if not seen[0].startswith(str(case.wanted)):
        raise RuntimeError(f"{case.name}: {seen[0]} {body!r}")
    return taken


def _compare(cases: Sequence[Case], same: Case) -> bool:
    first = _trimmed(cases[0].taken)
    _print(cases[0].name, first)
    told = [_print(case.name, _trimmed(case.taken), first) for case in cases[1:]]
    noisy = _print(f"{same.name} (must not be told)", _trimmed(same.taken), first)
    planted = [taken * (1 + PLANTED) for taken in same.taken]
    found = _print(f"{same.name} + {PLANTED:.0%} (must be told)", _trimmed(planted), first)
    if noisy or not found:
        print("  The machine is too noisy to say: run it again on a quiet one.")
    return found and not noisy and not any(told)


def _print(name: str, taken: Sequence[float], first: Sequence[float] | None = None) -> bool:
    line = f"  {name:40}{median(taken) * 1e6:>10.0f}"
    if first is None:
        print(line, flush=True)
        return False
    seen = difference(first, taken)
    line += f"{seen.shift:>9.1%}{seen.of_iqr:>8.2f}{seen.above:>7.2f}{seen.p:>9.1g}"
    print(line + ("  TOLD" if seen.told else ""), flush=True)
    return seen.told


def _trimmed(taken: Sequence[float]) -> list[float]:
    return sorted(taken)[: int(len(taken) * KEPT)]


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """The Mann-Whitney U test, by its normal approximation, and how much the median moved."""
    n, m = len(first), len(second)
    u = _rank_sum(first, second) - m * (m + 1) / 2
    z = (u - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5
    low, _, high = quantiles(first, n=4)
    moved = median(second) - median(first)
    return Difference(
        shift=moved / median(first),
        of_iqr=moved / (high - low),
        above=u / (n * m),
        p=2 * NormalDist().cdf(-abs(z)),
    )


def _rank_sum(first: Sequence[float], second: Sequence[float]) -> float:
    """The sum of the ranks of `second` among both; those that tie share the middle of theirs."""
    values = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    total, rank = 0.0, 0
    for _, tied in _by_value(values):
        total += sum(which for _, which in tied) * (rank + (len(tied) + 1) / 2)
        rank += len(tied)
    return total


def _by_value(
    values: Sequence[tuple[float, int]],
) -> Iterator[tuple[float, list[tuple[float, int]]]]:
    return ((value, list(tied)) for value, tied in groupby(values, lambda pair: pair[0]))


if __name__ == "__main__":
    sys.exit(main())

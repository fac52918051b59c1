"""Computes a guesser's chance of success from the live settings.

The guesser never pauses and picks the best moment. A window starts with its first try. One try can
start a window early, the other tries can be spent at its end, and then the next window starts: so
two windows in a row allow nearly twice the number in a short time. So the most tries in any stretch
of time, for a window of `length` and `most`, are `most * ceil(stretch / length) + most - 1`. The
tightest of the three windows counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, expm1, log1p, log2

from e2ereset.settings import Settings

from .budgets import Windows
from .changes import BACKUP_CODES, UNAMBIGUOUS
from .strategies.totp import BACKUP_LENGTH, DIGITS

STRETCHES = {"5 minutes": 300, "hour": 3600, "day": 86400, "year": 365 * 86400}
ACCOUNTS = (1, 1_000, 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret to guess: `live` of `space` possible texts are right. A space of 0 is unknown."""

    method: str
    what: str
    space: int
    live: int
    windows: Windows
    sends: Windows = ()
    asked: Windows = ()
    tries_per_send: int = 0

    @property
    def bits(self) -> float:
        """The entropy of one of the right texts; 0 where the space is unknown."""
        return log2(self.space) if self.space else 0.0

    def tries(self, seconds: int) -> int:
        """The most tries that one account allows in any stretch of this length."""
        tries = most_in(self.windows, seconds)
        sends = most_in(self.sends, seconds) + most_in(self.asked, seconds)
        return min(tries, sends * self.tries_per_send or tries)

    def chance(self, seconds: int, accounts: int = 1) -> float:
        """The chance that at least one account's secret is guessed in a stretch of this length.

        The tries at one mailed code are all different, so their chances add up. Tries at different
        codes, or at texts that change with time, are independent.
        """
        tries, together = self.tries(seconds), max(1, self.tries_per_send)
        full, rest = divmod(tries, together)
        stays = full * log1p(-self._part(together)) + log1p(-self._part(rest))
        return -expm1(accounts * stays)

    def _part(self, tries: int) -> float:
        return min(tries * self.live / self.space, 1 - 1e-12) if self.space else 0.0


def most_in(windows: Windows, seconds: int) -> int:
    """The most charges that these windows allow in any stretch of `seconds`."""
    counts = (most * ceil(seconds / length) + most - 1 for length, most in windows)
    return min(counts, default=0)


def secrets_of(settings: Settings, methods: tuple[str, ...]) -> Iterator[Secret]:
    """What can be guessed for each of the methods, in their order."""
    windows = settings.verify_windows
    for method in methods:
        if method == "totp":
            live = 2 * settings.totp_window + 1
            yield Secret(method=method, what="code", space=10**DIGITS, live=live, windows=windows)
            yield Secret(
                method=method,
                what="backup code",
                space=len(UNAMBIGUOUS) ** BACKUP_LENGTH,
                live=BACKUP_CODES,
                windows=windows,
            )
        elif method == "email":
            yield _mailed(settings)
        else:
            yield Secret(method=method, what=method, space=0, live=1, windows=windows)


def _mailed(settings: Settings) -> Secret:
    return Secret(
        method="email",
        what="mailed code",
        space=10**settings.email_code_digits,
        live=2,  # with the second code, for a stranger; tries count over both
        windows=settings.verify_windows,
        sends=settings.send_windows,
        asked=settings.asked_windows,
        tries_per_send=settings.email_code_tries,
    )


def seconds_shut(windows: Windows) -> int:
    """Seconds of a day for which a method is blocked if a guesser spends all tries at once."""
    day, most = windows[-1]
    return max(0, day - soonest(windows, most))


def soonest(windows: Windows, tries: int) -> int:
    """The least seconds between the first and the last of so many tries, if none is refused."""
    now, counts = 0, [(0, 0)] * len(windows)
    for _ in range(tries):
        waits = [
            start + length
            for (start, count), (length, most) in zip(counts, windows, strict=True)
            if count >= most
        ]
        now = max([now, *waits])
        counts = [
            (now, 1) if now >= start + length or not count else (start, count + 1)
            for (start, count), (length, _) in zip(counts, windows, strict=True)
        ]
    return now

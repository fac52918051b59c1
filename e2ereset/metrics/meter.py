"""What can be counted. Services call it; they do not know who counts."""

from collections.abc import Iterable

Gauges = Iterable[tuple[str, str, float]]
"""(name, what it is, value) of what is measured only when somebody asks."""


class Meter:
    """Counts what happens. This one counts nothing; `PrometheusMeter` does."""

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is its URL rule, never its path."""

    def second_factor(self, method: str, outcome: str) -> None:
        """A proof by this method passed, or was refused with the code `outcome`."""

    def budget_refused(self, purpose: str) -> None:
        """A try was not counted, as its budget was spent."""

    def reset(self, *, own: bool, nothing_to_reset: bool) -> None:
        """A reset was committed."""

    def hashed(self, seconds: float) -> None:
        """A password was hashed, or compared with a hash."""

    def text(self, gauges: Gauges) -> tuple[str, bytes] | None:
        """(content type, page) of all counts, and these; None for a meter that counts nothing."""


UNCOUNTED = Meter()

"""What time it is, for hosts whose clocks disagree: the database's clock has the last word (P6)."""

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.runtime import metrics
from shared.runtime.ids import utc_now

BOUND = timedelta(seconds=1)
"""How far a host's clock may be off before the database's is followed."""


class Timekeeper:
    """This host's clock, corrected once it is off by more than BOUND; so two sweepers on two hosts
    never differ by more. It is compared before every batch is taken and again before it is
    decided, so a clock that jumps, either way, is noticed before anything is announced, or put
    off, by it."""

    def __init__(self, host: Callable[[], datetime] = utc_now) -> None:
        self._host = host
        self._correction = timedelta(0)

    def __call__(self) -> datetime:
        return self._host() + self._correction

    def compare(self, database: datetime) -> None:
        """With what the database's clock says just now."""
        ahead = self._host() - database
        metrics.CLOCK_SKEW.set(ahead.total_seconds())
        self._correction = -ahead if abs(ahead) > BOUND else timedelta(0)

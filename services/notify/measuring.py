"""How long a referral takes from stage to stage: measured once each stage stands."""

from collections.abc import Iterable
from datetime import datetime

from services.notify.attempts import Attempt
from shared.contracts.base import Event
from shared.runtime import metrics
from shared.runtime.db import Session


def measure_plans(session: Session, announced: Iterable[Event], now: datetime) -> None:
    """After the commit: from when intake accepted what the events announce."""
    waits = [(now - each.time).total_seconds() for each in announced]
    session.after_commit(lambda: _observe("planned", waits))


def measure_first_attempts(attempts: Iterable[Attempt], now: datetime) -> None:
    """Of attempts on record: from the plan of each that is its notice's first."""
    _observe("attempted", [(now - a.planned_at).total_seconds() for a in attempts if not a.retry])


def _observe(stage: str, waits: Iterable[float]) -> None:
    histogram = metrics.WAY.labels(stage)
    for seconds in waits:
        histogram.observe(max(0.0, seconds))

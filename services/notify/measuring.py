"""How long a referral takes from stage to stage: measured once each stage stands."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from services.notify.delivery.attempts import Attempt
from services.notify.directory.agencies import Kind
from shared.contracts.base import Event
from shared.runtime import metrics
from shared.runtime.db import Session


def measure_plans(session: Session, announced: Iterable[Event], now: datetime) -> None:
    """After the commit: from when intake accepted what the events announce."""
    waits = [(now - each.time).total_seconds() for each in announced]
    session.after_commit(lambda: _observe("planned", waits))


def measure_first_attempts(attempts: Iterable[Attempt], now: datetime) -> None:
    """Of attempts on record: from the plan of each that is its notice's first."""
    first = [each for each in attempts if not each.retry]
    _observe("attempted", [(now - each.planned_at).total_seconds() for each in first])
    for kind, count in Counter(each.agency_kind for each in first).items():
        metrics.NOTICES.labels("attempted", kind).inc(count)


def count_notice(session: Session, stage: str, kind: str) -> None:
    """After the commit: one that a recipient of this kind has `opened` or `acknowledged`."""
    session.after_commit(metrics.NOTICES.labels(stage, kind).inc)


def count_from_zero() -> None:
    """Every kind is shown before its first notice, so that the first of each is an increase."""
    for kind in Kind:
        for stage in ("attempted", "opened", "acknowledged"):
            metrics.NOTICES.labels(stage, kind.value)


def _observe(stage: str, waits: Iterable[float]) -> None:
    histogram = metrics.WAY.labels(stage)
    for seconds in waits:
        histogram.observe(max(0.0, seconds))

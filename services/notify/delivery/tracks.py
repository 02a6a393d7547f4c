"""Spans of a notice: its attempts and its acknowledgement. They follow its plan, name no agency.

None is sent to a partner: what it answers stands in a trace only by whether it was accepted.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from services.notify.delivery.attempts import Attempt, Ended
from shared.runtime import tracing

if TYPE_CHECKING:
    from shared.runtime.spans import Span


def following(notices: Iterable[Any], now: datetime) -> dict[str, str]:
    """By referral, what the record of attempts follows: the plan, unless that is long ago."""
    return {
        row.referral_id: row.traceparent
        for row in notices
        if row.traceparent is not None and now - row.planned_at <= tracing.LONGEST
    }


def begin(attempt: Attempt) -> "Span | None":
    """A retry days later is a trace of its own that links to the plan's."""
    return tracing.follow(
        "attempt",
        "client",
        attempt.traceparent,
        attempt.planned_at,
        referral_id=attempt.referral_id,
        notice=attempt.notice_id,
        version=attempt.version,
    )


def end(span: "Span", attempt: Attempt, ended: Ended) -> Ended:
    span.end(outcome=ended.result)
    return replace(ended, trace=(attempt.referral_id, span.traceparent))


@contextmanager
def acknowledging(notice: Any) -> Iterator[None]:
    """`notice`: a row of that table. Its recipient's own trace is none of ours."""
    span = tracing.follow(
        "acknowledge",
        "internal",
        notice.traceparent,
        notice.planned_at,
        referral_id=notice.referral_id,
        notice=notice.notice_id,
        version=notice.version,
    )
    if span is None:
        yield
        return
    try:
        with tracing.carrying({tracing.ANY: span.traceparent}):
            yield
    finally:
        span.end()

"""How long a referral takes is counted once for each stage, and only when the stage stands."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client import REGISTRY

from services.notify.measuring import (
    count_from_zero,
    count_notice,
    measure_first_attempts,
    measure_plans,
)
from shared.runtime.db import Session

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def counted(stage: str, le: str = "+Inf") -> float:
    name = "hartline_notify_way_seconds_bucket"
    return REGISTRY.get_sample_value(name, {"stage": stage, "le": le}) or 0.0


def notices(stage: str, kind: str) -> float | None:
    labels = {"stage": stage, "kind": kind}
    return REGISTRY.get_sample_value("hartline_notify_notices_total", labels)


def test_a_plan_is_measured_once_it_is_committed() -> None:
    committed: list[Callable[[], None]] = []
    session = cast(Session, SimpleNamespace(after_commit=committed.append))
    event = cast(Any, SimpleNamespace(time=NOW - timedelta(seconds=3)))
    before, late = counted("planned"), counted("planned", "2.5")
    measure_plans(session, [event], NOW)
    assert counted("planned") == before
    [commit] = committed
    commit()
    assert (counted("planned"), counted("planned", "2.5")) == (before + 1, late)


def test_only_a_first_attempt_is_measured() -> None:
    def attempt(*, retry: bool) -> Any:
        return SimpleNamespace(
            retry=retry, planned_at=NOW - timedelta(seconds=1), agency_kind="siu"
        )

    before, of_kind = counted("attempted"), notices("attempted", "siu") or 0
    measure_first_attempts([attempt(retry=False), attempt(retry=True)], NOW)
    assert counted("attempted") == before + 1
    assert notices("attempted", "siu") == of_kind + 1


def test_what_a_recipient_does_is_counted_once_it_is_committed() -> None:
    committed: list[Callable[[], None]] = []
    session = cast(Session, SimpleNamespace(after_commit=committed.append))
    count_from_zero()
    before = notices("opened", "fbi")
    count_notice(session, "opened", "fbi")
    assert notices("opened", "fbi") == before is not None
    [commit] = committed
    commit()
    assert notices("opened", "fbi") == before + 1

"""All SQL of the breaker on an agency's row. Nothing here commits."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.notify.delivery.attempts import DELIVER_WAKE, Ended, Standing
from services.notify.delivery.retry import Breaker, judge
from services.notify.directory import tables as directory_tables
from services.notify.tasks import task as tasks
from shared.runtime.db import Session, wake_after_commit

_AGENCIES = directory_tables.agencies.fullname


async def hold_others(session: Session, agency_ids: Sequence[str], deadline: datetime) -> None:
    """While one delivery probes an agency, no process sends it another."""
    if agency_ids:
        await session.execute(
            text(f"UPDATE {_AGENCIES} SET hold_until = :until WHERE agency_id = ANY(:ids)"),
            {"ids": list(agency_ids), "until": deadline + timedelta(seconds=1)},
        )


def shaky(facts: Iterable[Ended]) -> dict[str, list[Ended]]:
    """By agency, of those that failed, or that had and recovered. Most often: none."""
    by_agency = defaultdict(list)
    for each in facts:
        if each.verdict is not None:
            by_agency[each.agency_id].append(each)
    return {
        agency_id: each
        for agency_id, each in by_agency.items()
        if any(one.strained or (one.verdict and not one.verdict.healthy) for one in each)
    }


async def judge_agencies(
    session: Session, facts: Iterable[Ended], standing: Mapping[str, Standing], now: datetime
) -> list[tasks.NewTask]:
    """Move the breakers of agencies that are shaky."""
    judged = shaky(facts)
    if not judged:
        return []
    before = await _lock_breakers(session, sorted(judged))
    after = {
        agency_id: judge(breaker, [one.verdict for one in judged[agency_id] if one.verdict], now)
        for agency_id, breaker in before.items()
    }
    await _set_breakers(session, {id_: each for id_, each in after.items() if each != before[id_]})
    tripped = [id_ for id_ in after if after[id_].tripped and not before[id_].tripped]
    return [
        tasks.unreachable(standing[judged[id_][-1].notice_id].referral_id, id_, now)
        for id_ in tripped
    ]


async def _lock_breakers(session: Session, agency_ids: Sequence[str]) -> dict[str, Breaker]:
    rows: Any = await session.execute(
        text(
            f"SELECT agency_id, consecutive_failures, hold_until FROM {_AGENCIES} "
            "WHERE agency_id = ANY(:ids) ORDER BY agency_id FOR NO KEY UPDATE"
        ),
        {"ids": list(agency_ids)},
    )
    return {row.agency_id: Breaker(row.consecutive_failures, row.hold_until) for row in rows}


async def _set_breakers(session: Session, breakers: dict[str, Breaker]) -> None:
    if not breakers:
        return
    await session.execute(
        text(
            f"UPDATE {_AGENCIES} a SET consecutive_failures = b.failures, "
            "hold_until = b.hold_until FROM unnest(CAST(:ids AS text[]), "
            "CAST(:failures AS integer[]), CAST(:holds AS timestamptz[])) "
            "AS b(agency_id, failures, hold_until) WHERE a.agency_id = b.agency_id"
        ),
        {
            "ids": list(breakers),
            "failures": [each.failures for each in breakers.values()],
            "holds": [each.hold_until for each in breakers.values()],
        },
    )
    wake_after_commit(session, DELIVER_WAKE)

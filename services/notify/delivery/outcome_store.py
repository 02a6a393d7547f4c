"""All SQL of outcomes: facts are inserted once, deliveries move on. Nothing here commits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.delivery import breaker_store
from services.notify.delivery import events as delivery_events
from services.notify.delivery.attempts import Ended, Standing, adds_something, settle
from services.notify.delivery.channels import POINTERS
from services.notify.delivery.outcomes import NotSent, Unknown
from services.notify.delivery.release_store import unblock
from services.notify.directory import tables as directory_tables
from services.notify.planning.plan import DeliveryState
from services.notify.tasks import task as tasks
from services.notify.tasks.store import file_tasks
from shared.messaging.leases import ALIVE_OWNERS
from shared.messaging.outbox import Outbox
from shared.messaging.telling import further_events
from shared.runtime.db import Session

LONGEST_LEASE = timedelta(seconds=20)
"""Beyond an attempt's own deadline, even while its owner's session lives."""

_DELIVERIES = models.deliveries.fullname
_RECLAIMED_AT_ONCE = 256
_ATTEMPTS_BEFORE_A_PERSON = 8
"""About a minute of retrying (0.5 + 1 + 2 + … s)."""


_LOCK = text(
    "SELECT d.notice_id, d.referral_id, d.child_id, d.agency_id, "
    f"(SELECT role FROM {models.notices.fullname} n WHERE n.notice_id = d.notice_id) AS role, "
    "d.version, d.state, d.attempts, d.superseded_by, d.open_disclosure_id, d.next_attempt_at, "
    "d.delivered_at, d.ended_at, d.withdrawn, d.opened_at IS NOT NULL AS opened "
    f"FROM {_DELIVERIES} d "
    "WHERE d.notice_id = ANY(:ids) ORDER BY d.version, d.notice_id FOR UPDATE OF d"
)


_INSERT_FACTS = (
    f"INSERT INTO {models.disclosure_outcomes.fullname} "
    "(disclosure_id, outcome, http_status, occurred_at, obstacle) "
    "SELECT e.disclosure_id, e.outcome, e.http_status, e.occurred_at, e.obstacle FROM unnest("
    "CAST(:disclosures AS text[]), CAST(:outcomes AS text[]), CAST(:statuses AS integer[]), "
    "CAST(:times AS timestamptz[]), CAST(:obstacles AS text[])) "
    "AS e(disclosure_id, outcome, http_status, occurred_at, obstacle) "
    # OFFSET 0: each looked up by its key, however few there were when it was planned.
    f"WHERE EXISTS (SELECT FROM {models.disclosures.fullname} "
    "WHERE disclosure_id = e.disclosure_id OFFSET 0) "
    "ON CONFLICT DO NOTHING RETURNING disclosure_id, outcome"
)


_MOVE = (
    f"UPDATE {_DELIVERIES} d SET state = m.state, next_attempt_at = m.next_attempt_at, "
    "delivered_at = m.delivered_at, ended_at = m.ended_at, "
    "open_disclosure_id = m.open_disclosure_id, "
    "attempt_deadline = CASE WHEN m.state = 'attempting' THEN d.attempt_deadline END, "
    "lease_owner = CASE WHEN m.state = 'attempting' THEN d.lease_owner END, "
    "unread_since = CASE WHEN d.opened_at IS NULL THEN coalesce(m.unread, d.unread_since) END "
    "FROM unnest(CAST(:ids AS text[]), CAST(:states AS text[]), "
    "CAST(:nexts AS timestamptz[]), CAST(:delivered AS timestamptz[]), "
    "CAST(:ended AS timestamptz[]), CAST(:open AS text[]), CAST(:unread AS timestamptz[])) "
    "AS m(notice_id, state, next_attempt_at, delivered_at, ended_at, open_disclosure_id, unread) "
    # By their keys; joined alone, the table would be read whole where it was small when planned.
    "WHERE d.notice_id = ANY(CAST(:ids AS text[])) AND d.notice_id = m.notice_id"
)


_INSERT_FACTS_ALONE, _MOVE_ALONE = text(_INSERT_FACTS), text(_MOVE)
_WRITE = text(
    f"WITH facts AS ({_INSERT_FACTS}), moved AS ({_MOVE}), "
    + further_events(models.OUTBOX)
    + " SELECT WHERE false"
)


_ABANDONED = text(
    "SELECT notice_id, agency_id, open_disclosure_id, (SELECT kind "
    f"FROM {directory_tables.agencies.fullname} a WHERE a.agency_id = d.agency_id) AS agency_kind "
    f"FROM {_DELIVERIES} d WHERE state = 'attempting' AND attempt_deadline < :now "
    f"AND (lease_owner NOT IN ({ALIVE_OWNERS}) OR attempt_deadline < :long_ago) "
    f"ORDER BY attempt_deadline LIMIT {_RECLAIMED_AT_ONCE}"
)


async def record(
    session: Session,
    outbox: Outbox,
    ended: Sequence[Ended],
    now: datetime,
    luck: Callable[[], float],
) -> list[Standing]:
    """Write down how attempts ended; returns the deliveries that this has moved.

    Facts are inserted once and never filtered by a lease: a zombie's late 200 is kept. What is on
    record already, or speaks of an attempt that never was, changes nothing: so it may be repeated
    after an ambiguous commit, of this or of the claim.

    1. Lock the deliveries, and see what is a new fact.
    2. Most often nothing follows but events: insert, move and emit in one statement.
    3. Otherwise insert the facts and move the deliveries on, then let go the later versions that
       waited for them; judge the agencies, file tasks, emit.
    """
    before = await _lock(session, {each.notice_id for each in ended})
    telling = [
        each
        for each in ended
        if each.notice_id in before and adds_something(before[each.notice_id], each)
    ]
    facts = telling if _all_new(before, telling) else await _insert_facts(session, telling)
    if not facts:
        return []
    after = dict(before)
    for each in facts:
        after[each.notice_id] = settle(after[each.notice_id], each, now, luck())
    moved = [each for each in after.values() if each != before[each.notice_id]]
    events = delivery_events.told(before, facts, after, now)
    filed = _cannot_send(facts, after) + _not_accepted(moved) + _untold(before, after)
    stopped = any(each.superseded_by or each.withdrawn for each in moved)
    if not (filed or stopped or breaker_store.shaky(facts)):
        telling_of_them = outbox.further(session, now, *events)
        await session.execute(_WRITE, {**_of_facts(facts), **_of_moves(moved), **telling_of_them})
        return moved
    await _insert_facts(session, facts)
    await session.execute(_MOVE_ALONE, _of_moves(moved))
    if stopped:
        await unblock(session, [each.notice_id for each in moved], now)
    filed += await breaker_store.judge_agencies(session, facts, after, now)
    await file_tasks(session, filed, now)
    await outbox.emit(session, now, *events)
    return moved


async def abandoned(session: Session, now: datetime) -> list[Ended]:
    """Open attempts past their deadline whose owner is gone, or is silent for far too long.

    Nobody can say what became of them: they are `Unknown`, which counts as disclosed (P2).
    """
    rows = await session.execute(
        _ABANDONED,
        {"now": now, "long_ago": now - LONGEST_LEASE},
    )
    return [
        Ended(
            disclosure_id=row.open_disclosure_id,
            notice_id=row.notice_id,
            agency_id=row.agency_id,
            outcome=Unknown(ours=True),
            at=now,
            agency_kind=row.agency_kind,
        )
        for row in rows
    ]


async def _lock(session: Session, notice_ids: Iterable[str]) -> dict[str, Standing]:
    rows = await session.execute(
        _LOCK,
        {"ids": sorted(notice_ids)},
    )
    return {
        row.notice_id: Standing(**{**dict(row), "state": DeliveryState(row.state)}) for row in rows
    }


def _all_new(before: Mapping[str, Standing], telling: Sequence[Ended]) -> bool:
    """Whether each is the end of an attempt that is open, so that nothing is on record of it: its
    delivery is locked, and whoever records how an open attempt ended closes it."""
    return all(before[each.notice_id].is_open(each.disclosure_id) for each in telling)


async def _insert_facts(session: Session, ended: Sequence[Ended]) -> list[Ended]:
    """Those that were new."""
    if not ended:
        return []
    rows = await session.execute(_INSERT_FACTS_ALONE, _of_facts(ended))
    new = {(row.disclosure_id, row.outcome) for row in rows}
    return [each for each in ended if (each.disclosure_id, each.fact) in new]


def _of_facts(ended: Sequence[Ended]) -> dict[str, list[Any]]:
    return {
        "disclosures": [each.disclosure_id for each in ended],
        "outcomes": [each.fact for each in ended],
        "statuses": [each.http_status for each in ended],
        "times": [each.at for each in ended],
        "obstacles": [each.obstacle for each in ended],
    }


def _of_moves(moved: Sequence[Standing]) -> dict[str, list[Any]]:
    """The lease goes with the attempt it was for."""
    return {
        "ids": [each.notice_id for each in moved],
        "states": [each.state.value for each in moved],
        "nexts": [each.next_attempt_at for each in moved],
        "delivered": [each.delivered_at for each in moved],
        "ended": [each.ended_at for each in moved],
        "open": [each.open_disclosure_id for each in moved],
        "unread": [m.delivered_at if m.delivered_by in POINTERS else None for m in moved],
    }


def _not_accepted(moved: Iterable[Standing]) -> list[tasks.NewTask]:
    """Filed at every further attempt; the first one stays (one per notice)."""
    return [
        tasks.not_accepted(each.referral_id, each.notice_id, each.agency_id)
        for each in moved
        if each.state is DeliveryState.PENDING and each.attempts >= _ATTEMPTS_BEFORE_A_PERSON
    ]


def _cannot_send(facts: Iterable[Ended], standing: dict[str, Standing]) -> list[tasks.NewTask]:
    return [
        tasks.cannot_send(
            standing[each.notice_id].referral_id, each.notice_id, each.outcome.obstacle
        )
        for each in facts
        if isinstance(each.outcome, NotSent) and each.outcome.obstacle.needs_person
    ]


def _untold(before: Mapping[str, Standing], after: Mapping[str, Standing]) -> list[tasks.NewTask]:
    return [
        tasks.end_untold(each.referral_id, each.notice_id)
        for each in delivery_events.untold(before.values(), after)
    ]

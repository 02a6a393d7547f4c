"""All SQL of claiming: due deliveries become attempts on record, or are refused. Nothing commits.

Locks are taken in this order everywhere, so that nobody waits in a circle: deliveries by version
and notice (an attempt's end lets go a later version), agencies by id, paces by agency, the
outbox's heads.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.barred import bars
from services.notify.delivery import events as delivery_events
from services.notify.delivery.attempts import Attempt
from services.notify.delivery.breaker_store import hold_others
from services.notify.delivery.channels import channel_of, is_complete
from services.notify.delivery.claimed import attempt_of, can_be_attempted, can_be_refused, made
from services.notify.delivery.departing import Transports
from services.notify.delivery.due_store import lock_due, more_due
from services.notify.delivery.lanes import Slots
from services.notify.delivery.pace_store import ration
from services.notify.delivery.read_store import read_alone, read_one
from services.notify.delivery.refusing_store import ask_people, refuse, set_aside, suppress
from services.notify.delivery.tracks import following
from services.notify.directory.authority import refusal, today
from services.notify.directory.endpoint_tls_store import transports
from shared.contracts.base import EventData
from shared.contracts.codes import Channel, RefusalReason
from shared.messaging.outbox import Outbox
from shared.messaging.telling import further_events
from shared.runtime import tracing
from shared.runtime.db import Session
from shared.runtime.ids import new_id
from shared.runtime.session import Values

_DELIVERIES = models.deliveries.fullname
_CONFLICTS = conflict_tables.conflicts.fullname

# All of them or, where a conflict bars one, none: what is told must be what is on record.
_RECORD = text(
    "WITH claimed AS (SELECT * FROM unnest(CAST(:notices AS text[]), "
    "CAST(:disclosures AS text[]), CAST(:channels AS text[]), CAST(:referrals AS text[]), "
    "CAST(:children AS text[]), CAST(:agencies AS text[]), CAST(:series AS text[]), "
    "CAST(:related AS text[])) AS c(notice_id, disclosure_id, channel, referral_id, child_id, "
    "agency_id, series, relates_to)), "
    f"barred AS MATERIALIZED (SELECT notice_id FROM claimed c JOIN {_CONFLICTS} k ON "
    f"{bars('k', 'c')} UNION SELECT notice_id FROM claimed c JOIN {_CONFLICTS} k "
    "ON k.referral_id = c.relates_to AND k.agency_id = c.agency_id AND k.lifted_at IS NULL), "
    f"taken AS (UPDATE {_DELIVERIES} d SET state = 'attempting', "
    "attempts = d.attempts + 1, open_disclosure_id = c.disclosure_id, "
    "attempt_deadline = :deadline, lease_owner = :owner, next_attempt_at = NULL "
    "FROM claimed c WHERE d.notice_id = ANY(CAST(:notices AS text[])) "
    "AND d.notice_id = c.notice_id AND NOT EXISTS (SELECT FROM barred) "
    "RETURNING d.notice_id, d.agency_id, c.disclosure_id, c.channel), "
    f"disclosed AS (INSERT INTO {models.disclosures.fullname} "
    "(disclosure_id, notice_id, agency_id, attempted_at, channel) "
    "SELECT disclosure_id, notice_id, agency_id, :now, channel FROM taken), "
    + further_events(models.OUTBOX, "NOT EXISTS (SELECT FROM barred)")
    + " SELECT notice_id AS barred, NULL AS agency_id, NULL AS transport FROM barred "
    f"UNION ALL SELECT NULL, * FROM ({transports('CAST(:agencies AS text[])')}) AS t"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim found. `more`: as much as was asked for was due, of all or of a lane, and some
    of it is done with (attempted or refused), so that another claim may find the rest."""

    attempts: tuple[Attempt, ...]
    more: bool
    transports: Transports = field(default_factory=dict)


_NOTHING = Claim((), more=False)
_NOT_DUE = SimpleNamespace(retry=False, probe=False)

Begin = Callable[[Sequence[Attempt]], None]
"""Told which attempts are being recorded, in place of those that it was told before."""


async def claim(
    session: Session,
    outbox: Outbox,
    *,
    owner: int,
    slots: Slots,
    busy: Mapping[str, Slots],
    batch: int,
    now: datetime,
    deadline: datetime,
    begin: Begin = lambda _: None,
) -> Claim:
    """Turn due deliveries into attempts on record, each agency's up to its free slots.

    1. Lock what is due, then the agencies' rows; what somebody else holds is skipped.
    2. Ask the law again: a change committed before this one binds it, and so does a pause or a
       stop, which is on the row too.
    3. Record each attempt and the event that says so, or refuse it, with an event and a task. In
       the same statement conflicts are asked for: whoever asserts one holds the agency's row until
       it is committed, so none is committed between the lock and this. They end in silence.
       Whom only a person can call is no attempt but a task, and so is what cannot be read. What
       its agency's limit leaves no place for waits as it is (`pace_store`).
    """
    due = await lock_due(session, slots, busy, batch, now)
    if not due:
        return _NOTHING
    notices = await _read(session, due)
    held, refused, unreadable, lawful = _sort(due, notices, now)
    if unreadable:
        await set_aside(session, [notices[row.notice_id] for row in unreadable], now)
    if calls := [row for row in lawful if notices[row.notice_id].channel == Channel.ORAL]:
        lawful = [row for row in lawful if notices[row.notice_id].channel != Channel.ORAL]
        await ask_people(session, [notices[row.notice_id] for row in calls], now)
    lawful, waiting = await ration(session, lawful, notices, now)
    again = {row.notice_id for row, _ in refused if row.told}
    pairs = [(notices[row.notice_id], reason) for row, reason in refused]
    if refused:
        await refuse(session, pairs, again, now)
    attempts, transports = await _record(
        session,
        outbox,
        lawful,
        notices,
        delivery_events.refused(pairs, again, now),
        {"owner": owner, "now": now, "deadline": deadline, "today": today(now)},
        begin,
    )
    await hold_others(session, [each.agency_id for each in attempts if each.probe], deadline)
    some_done_with = len(due) > len(held) + len(waiting)
    return Claim(attempts, some_done_with and more_due(due, attempts, batch), transports)


async def as_attempt(session: Session, notice_id: str) -> Attempt | None:
    """A notice with all that writing it takes, though nothing is claimed or sent."""
    row = await read_one(session, notice_id)
    return None if row is None else attempt_of(_NOT_DUE, row, "")


async def _read(session: Session, due: Sequence[Any]) -> dict[str, Any]:
    """Each notice with its copy and its agency, by notice, the agencies' rows locked.

    Shared, as they came; alone, where a breaker is to be probed. A row that somebody was changing
    is read as they have left it.
    """
    if any(row.probe for row in due):
        due = await read_alone(session, [row.notice_id for row in due])
    assert all(row.kind is not None for row in due), "a delivery without its notice"
    return {row.notice_id: row for row in due}


def _sort(
    due: Iterable[Any], notices: Mapping[str, Any], now: datetime
) -> tuple[list[Any], list[tuple[Any, RefusalReason]], list[Any], list[Any]]:
    """Held in the meantime; no longer permitted; not to be read by this release; lawful."""
    held, refused, unreadable, lawful = [], [], [], []
    for row in due:
        agency = notices[row.notice_id]
        if agency.wrapped is not None and not agency.wrapped:
            held.append(row)  # Its content is destroyed: `shredding` closes it in a moment.
            continue
        channel = channel_of(agency.channel)
        complete = channel is None or is_complete(
            channel, agency.endpoint, agency.encryption_key, agency.email
        )
        reason = refusal(
            agency.on_file, agency.authority_from, agency.authority_to, complete, today(now)
        )
        if reason is not None and can_be_refused(agency, reason, now):
            refused.append((row, reason))
        elif agency.halted or (agency.hold_until is not None and agency.hold_until > now):
            held.append(row)
        elif reason is not None or channel is None:
            unreadable.append(row)
        else:
            lawful.append(row)
    return held, refused, unreadable, lawful


async def _record(
    session: Session,
    outbox: Outbox,
    lawful: Sequence[Any],
    notices: Mapping[str, Any],
    refusals: Sequence[EventData],
    values: Values,
    begin: Begin,
) -> tuple[tuple[Attempt, ...], Transports]:
    """The record that P2 wants before the first byte, the lease, and the events that say so (after
    them `refusals`), in one statement.

    Those recorded; the others have a conflict of interest, and end, or cannot be read, and are set
    aside. `values`: of every attempt.
    """
    while lawful:
        ids = {row.notice_id: new_id("dsc") for row in lawful}
        told = [notices[id_] for id_ in ids]
        try:
            attempts, events = made(lawful, told, ids, values["now"])
        except Exception:
            lawful = await _readable(session, lawful, notices, ids, values["now"])
            continue
        with tracing.carrying(following(told, values["now"]) if tracing.on() else None):
            telling = outbox.further(session, values["now"], *events, *refusals)
        begin(attempts)
        found = await session.execute(_RECORD, {**values, **_claimed(told, ids), **telling})
        barred = {row.barred for row in found if row.barred is not None}
        if not barred:
            return attempts, {row.agency_id: row.transport for row in found}
        await suppress(session, [notices[id_] for id_ in barred], values["now"])
        lawful = [row for row in lawful if row.notice_id not in barred]
    begin(())
    await outbox.emit(session, values["now"], *refusals)
    return (), {}


async def _readable(
    session: Session,
    lawful: Sequence[Any],
    notices: Mapping[str, Any],
    ids: dict[str, str],
    now: datetime,
) -> list[Any]:
    """Of rows that cannot all be read: those that can. The others are set aside."""
    readable = [row for row in lawful if can_be_attempted(row, notices[row.notice_id], ids, now)]
    others = [notices[row.notice_id] for row in lawful if row not in readable]
    assert others, "each can be read, and all cannot"
    await set_aside(session, others, now)
    return readable


def _claimed(notices: Sequence[Any], ids: Mapping[str, str]) -> dict[str, list[Any]]:
    return {
        "notices": list(ids),
        "disclosures": list(ids.values()),
        "channels": [each.channel for each in notices],
        "referrals": [each.referral_id for each in notices],
        "children": [each.child_id for each in notices],
        "agencies": [each.agency_id for each in notices],
        "series": [each.series for each in notices],
        "related": [each.relates_to for each in notices],
    }

"""All SQL of claiming: due deliveries become attempts on record, or are refused. Nothing commits.

Locks are taken in this order everywhere, so that nobody waits in a circle: deliveries by version
and notice (an attempt's end lets go a later version), agencies by id, paces by agency, the
outbox's heads.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from services.notify.delivery.channels import is_complete
from services.notify.delivery.claimed import attempt_of
from services.notify.delivery.due_store import lock_due
from services.notify.delivery.lanes import Slots
from services.notify.delivery.pace_store import ration
from services.notify.delivery.refusing_store import ask_people, refuse, suppress
from services.notify.delivery.tracks import following
from services.notify.directory import tables as directory_tables
from services.notify.directory.authority import refusal, today
from shared.contracts.codes import Channel, RefusalReason
from shared.messaging.outbox import Outbox
from shared.runtime import tracing
from shared.runtime.db import Session
from shared.runtime.ids import new_id

_DELIVERIES = models.deliveries.fullname
_AGENCIES = directory_tables.agencies.fullname


_READ = (
    "SELECT n.*, CASE WHEN n.relates_to IS NOT NULL THEN (SELECT r.referral_number "
    f"FROM {models.notices.fullname} r WHERE r.referral_id = n.relates_to LIMIT 1) "
    "END AS related_number, c.sealed, p.sealed AS part_sealed, b.sealed AS before_sealed, "
    "k.kek_version, k.wrapped, a.name AS agency_name, a.kind AS agency_kind, "
    "a.authority_from, "
    "CASE WHEN NOT a.closed THEN a.authority END AS on_file, "
    "least(a.authority_to, a.mou_to) AS authority_to, a.endpoint, a.encryption_key, "
    "a.channel, a.email, CASE WHEN a.webhook_secret_ends > statement_timestamp() "
    "THEN a.webhook_secrets ELSE a.webhook_secrets[1:1] END AS secrets, "
    "a.allowed_networks, a.hold_until, a.halted, a.consecutive_failures, "
    "a.max_in_flight, a.max_per_minute "
    # OFFSET 0: by their keys. Planned once on a young table, the order wanted below would walk it.
    f"FROM (SELECT * FROM {models.notices.fullname} WHERE notice_id = ANY(:ids) OFFSET 0) n "
    f"JOIN {_AGENCIES} a ON a.agency_id = n.agency_id "
    f"LEFT JOIN {models.copies.fullname} c ON c.child_id = n.child_id "
    "AND c.version = n.version AND c.profile = n.profile "
    f"LEFT JOIN {models.copies.fullname} p ON p.child_id = n.child_id "
    "AND p.version = n.version AND p.profile = n.part "
    f"LEFT JOIN {models.copies.fullname} b ON b.child_id = n.child_id "
    "AND b.version = n.supersedes AND b.profile = n.profile "
    f"LEFT JOIN {models.child_keys.fullname} k ON k.child_id = n.child_id "
    "ORDER BY n.agency_id"
)
_READ_ONE = text(_READ)
_READ_SHARED = text(f"{_READ} FOR SHARE OF a")
_READ_ALONE = text(f"{_READ} FOR NO KEY UPDATE OF a")
_RECORD = text(
    "WITH claimed AS (SELECT * FROM unnest(CAST(:notices AS text[]), "
    "CAST(:disclosures AS text[]), CAST(:channels AS text[])) "
    "AS c(notice_id, disclosure_id, channel)), "
    f"taken AS (UPDATE {_DELIVERIES} d SET state = 'attempting', "
    "attempts = d.attempts + 1, open_disclosure_id = c.disclosure_id, "
    "attempt_deadline = :deadline, lease_owner = :owner, next_attempt_at = NULL "
    "FROM claimed c WHERE d.notice_id = c.notice_id "
    f"AND NOT EXISTS (SELECT FROM {conflict_tables.conflicts.fullname} k WHERE {bars('k', 'd')}) "
    f"AND NOT EXISTS (SELECT FROM {models.notices.fullname} n "
    f"JOIN {conflict_tables.conflicts.fullname} k ON k.referral_id = n.relates_to "
    "AND k.agency_id = n.agency_id AND k.lifted_at IS NULL WHERE n.notice_id = d.notice_id) "
    "RETURNING d.notice_id, d.agency_id, d.open_disclosure_id, c.channel) "
    f"INSERT INTO {models.disclosures.fullname} "
    "(disclosure_id, notice_id, agency_id, attempted_at, channel) "
    "SELECT open_disclosure_id, notice_id, agency_id, :now, channel FROM taken "
    "RETURNING notice_id"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim found. `more`: as much as was asked for was due, and some of it is done with
    (attempted or refused), so that another claim may find the rest."""

    attempts: tuple[Attempt, ...]
    more: bool


_NOTHING = Claim((), more=False)
_NOT_DUE = SimpleNamespace(retry=False, probe=False)


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
) -> Claim:
    """Turn due deliveries into attempts on record, each agency's up to its free slots.

    1. Lock what is due; what somebody else holds is skipped.
    2. Lock the agencies' rows and ask the law again: a change committed before this one binds it,
       and so does a pause or a stop, which is on the row too.
    3. Record each attempt and the event that says so, or refuse it, with an event and a task. In
       the same statement conflicts are asked for: whoever asserts one holds the agency's row until
       it is committed, so none is committed between the lock and this. They end in silence.
       Whom only a person can call is no attempt but a task. What its agency's limit leaves no
       place for waits as it is (`pace_store`).
    """
    due = await lock_due(session, slots, busy, batch, now)
    if not due:
        return _NOTHING
    notices = await _read(session, due)
    held, refused, lawful = _sort(due, notices, now)
    if calls := [row for row in lawful if notices[row.notice_id].channel == Channel.ORAL]:
        lawful = [row for row in lawful if notices[row.notice_id].channel != Channel.ORAL]
        await ask_people(session, [notices[row.notice_id] for row in calls], now)
    lawful, waiting = await ration(session, lawful, notices, now)
    ids = {row.notice_id: new_id("dsc") for row in lawful}
    again = {row.notice_id for row, _ in refused if row.told}
    if refused:
        pairs = [(notices[row.notice_id], reason) for row, reason in refused]
        await refuse(session, pairs, again, now)
    if lawful:
        channels = [notices[id_].channel for id_ in ids]
        taken = await _record(session, ids, channels, owner, now, deadline)
        if len(taken) < len(lawful):
            await suppress(session, [notices[id_] for id_ in ids if id_ not in taken], now)
            lawful = [row for row in lawful if row.notice_id in taken]
        await hold_others(session, [row.agency_id for row in lawful if row.probe], deadline)
    told = [notices[row.notice_id] for row in lawful]
    with tracing.carrying(following(told, now) if tracing.on() else None):
        await outbox.emit(
            session,
            now,
            *delivery_events.attempted(told, ids, now),
            *delivery_events.refused(
                [(notices[row.notice_id], why) for row, why in refused], again, now
            ),
        )
    attempts = tuple(attempt_of(row, notices[row.notice_id], ids[row.notice_id]) for row in lawful)
    some_done_with = len(due) > len(held) + len(waiting)
    return Claim(attempts, more=len(due) >= batch and some_done_with)


async def as_attempt(session: Session, notice_id: str) -> Attempt | None:
    """A notice with all that writing it takes, though nothing is claimed or sent."""
    row = (await session.execute(_READ_ONE, {"ids": [notice_id]})).first()
    return None if row is None else attempt_of(_NOT_DUE, row, "")


async def _read(session: Session, due: Sequence[Any]) -> dict[str, Any]:
    """Each notice with its copy and its agency, by notice, the agencies' rows locked.

    Shared, so that claims of one agency do not queue; alone, where a breaker is to be probed. A
    row that somebody was changing is read as they have left it.
    """
    alone = any(row.probe for row in due)
    rows = await session.execute(
        _READ_ALONE if alone else _READ_SHARED, {"ids": [row.notice_id for row in due]}
    )
    return {row.notice_id: row for row in rows}


def _sort(
    due: Iterable[Any], notices: Mapping[str, Any], now: datetime
) -> tuple[list[Any], list[tuple[Any, RefusalReason]], list[Any]]:
    """Held in the meantime; no longer permitted; lawful."""
    held, refused, lawful = [], [], []
    for row in due:
        agency = notices[row.notice_id]
        if agency.wrapped is not None and not agency.wrapped:
            held.append(row)  # Its content is destroyed: `shredding` closes it in a moment.
            continue
        reason = refusal(
            agency.on_file,
            agency.authority_from,
            agency.authority_to,
            is_complete(
                Channel(agency.channel), agency.endpoint, agency.encryption_key, agency.email
            ),
            today(now),
        )
        if reason is not None:
            refused.append((row, reason))
        elif agency.halted or (agency.hold_until is not None and agency.hold_until > now):
            held.append(row)
        else:
            lawful.append(row)
    return held, refused, lawful


async def _record(
    session: Session,
    ids: Mapping[str, str],
    channels: Sequence[str],
    owner: int,
    now: datetime,
    deadline: datetime,
) -> frozenset[str]:
    """The record that P2 wants before the first byte, and the lease, in one statement.

    Those recorded; the others have a conflict of interest.
    """
    taken = await session.scalars(
        _RECORD,
        {
            "notices": list(ids),
            "disclosures": list(ids.values()),
            "channels": channels,
            "owner": owner,
            "now": now,
            "deadline": deadline,
        },
    )
    return frozenset(taken)

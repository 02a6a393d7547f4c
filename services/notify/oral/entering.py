"""Entering a call by referral and recipient: its notice may be refused, held, or not planned yet.

A call that has happened is kept, whatever the law says of it. On record as a disclosure it is once
its notice is there: only that says which fields were told, and by what right.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from services.notify.conflicts.substitution import Substitutes
from services.notify.delivery.webhook_secrets import open_secret, seal_secret
from services.notify.mailbox.store import is_lawful
from services.notify.oral import entry_store, refused_store, telling
from services.notify.oral.calls import told_without_a_notice
from services.notify.oral.entry_store import Leg
from services.notify.oral.telling import Call
from services.notify.planning import history_store
from services.notify.tasks import store as task_store
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database, Session
from shared.runtime.errors import Gone
from shared.runtime.ids import new_id, utc_now
from shared.runtime.sealing import Sealer

log = structlog.get_logger()

EVERY_SECONDS = 5.0
PATIENCE = timedelta(minutes=15)
"""A plan comes within seconds. After this a person must find out whether there will be one."""


class Expect(StrEnum):
    """What will become of a call that was entered, in words."""

    RECORDED = "It is on record as a disclosure, at the time of the call."
    FORBIDDEN = (
        "This agency may not be told of this child: no authority in force, nothing to reach it by, "
        "or a conflict of interest. It is a task of kind told_unlawfully now, until its record is "
        "complete and the referral amended, or another person decides it "
        "(POST /v1/oral-entries/{entry_id}/decision)."
    )
    NO_NOTICE = (
        "No notice of this child goes to this agency, and it stands in for nobody who was refused: "
        "the call is no disclosure on record yet, and in 15 minutes this is a task of kind "
        "told_unlawfully. If it was the wrong agency or child, enter the right one, and have "
        "another person decide this one (POST /v1/oral-entries/{entry_id}/decision)."
    )
    DECIDED = (
        "Another person has decided this call ({entry_id}; the list of the referral's calls says "
        "how): nothing more becomes of it. A call that was made at another time is entered with "
        "its own time; if the decision was wrong, tell the compliance officer."
    )
    NO_PLAN = (
        "This referral is not planned yet: the call is recorded, at its own time, once a notice of "
        "this child to this agency is. Without one in 15 minutes this is a task of kind "
        "told_unlawfully."
    )


@dataclass(frozen=True, slots=True)
class Entered:
    """`notice_id` None: it waits for its notice."""

    entry_id: str
    notice_id: str | None
    told_at: datetime
    entered_at: datetime
    what_happens: Expect


@dataclass(frozen=True, slots=True)
class Office:
    """What it takes to put a call on record. Transactions are its own."""

    db: Database
    sealer: Sealer
    outbox: Outbox
    substitutes: Substitutes


async def enter(office: Office, leg: Leg, call: Call, now: datetime) -> Entered | None:
    """The call on file; the same call again: the same answer. None: there is no such agency.

    1. Keep the call, and record it where its notice is there: nothing later undoes that.
    2. Where none is, plan one if the rules name the agency in place of one that was refused.

    `call.notice_id` is not looked at: which notice it is of is found here.
    """
    async with office.db.transaction() as session:
        kept = await _keep(session, office.sealer, office.outbox, leg, call, now)
    if kept is None or kept.notice_id is not None:
        return kept
    await _stand_in(office, kept.entry_id, now)
    async with office.db.transaction() as session:
        return await _entered(session, leg, call.told_at, now)


async def _keep(
    session: Session, sealer: Sealer, outbox: Outbox, leg: Leg, call: Call, now: datetime
) -> Entered | None:
    if not await entry_store.is_agency(session, leg.agency_id):
        return None
    entry_id = new_id("orl")
    sealed = seal_secret(sealer, entry_id, call.told_to)
    new = await entry_store.insert(
        session, leg, entry_id, call.told_by, call.told_at, entered_at=now, sealed=sealed
    )
    waits = new and not await _record(session, sealer, outbox, entry_id, now)
    if waits and await _is_forbidden(session, leg, now):
        task = told_without_a_notice(leg.referral_id, entry_id, leg.agency_id)
        await task_store.file_tasks(session, [task], now)
    return await _entered(session, leg, call.told_at, now)


async def _is_forbidden(session: Session, leg: Leg, now: datetime) -> bool:
    lawful = await is_lawful(session, leg.agency_id, now)
    return not lawful or await entry_store.in_conflict(session, leg)


async def _entered(session: Session, leg: Leg, told_at: datetime, now: datetime) -> Entered:
    row = await entry_store.read(session, leg, told_at)
    if row.notice_id is not None:
        expect = Expect.RECORDED
    elif row.ended_at is not None:
        expect = Expect.DECIDED
    elif await _is_forbidden(session, leg, now):
        expect = Expect.FORBIDDEN
    else:
        planned = await entry_store.is_planned(session, leg.referral_id)
        expect = Expect.NO_NOTICE if planned else Expect.NO_PLAN
    return Entered(row.entry_id, row.notice_id, row.told_at, row.entered_at, expect)


async def match_waiting(office: Office) -> None:
    """Record what waits and has its notice now, or stands in for a recipient that was refused;
    each on its own."""
    async with office.db.transaction() as session:
        found = await entry_store.waiting(session)
    for entry_id in found:
        await _stand_in(office, entry_id, utc_now())
        try:
            async with office.db.transaction() as session:
                await _record(session, office.sealer, office.outbox, entry_id, utc_now())
        except Exception as error:
            log.warning("oral_entry_not_recorded", error=error)


async def _stand_in(office: Office, entry_id: str, now: datetime) -> None:
    """What fails here is tried again a moment later; the call is kept."""
    try:
        async with office.db.transaction() as session:
            row = await entry_store.lock(session, entry_id)
            if row is None:
                return
            leg = Leg(row.referral_id, row.child_id, row.agency_id)
            if await entry_store.notice_of(session, leg, row.told_at) is not None:
                return
            # A withdrawal under way holds these locks: what it has decided is read after it.
            await history_store.lock_history(session, [leg.referral_id])
            gaps = await refused_store.refused(session, leg)
            stands = office.substitutes.stand_in
            if gaps and await stands(session, leg.child_id, leg.agency_id, gaps, now):
                await _record(session, office.sealer, office.outbox, entry_id, now)
    except Exception as error:
        log.warning("oral_entry_not_recorded", error=error)


async def _record(
    session: Session, sealer: Sealer, outbox: Outbox, entry_id: str, now: datetime
) -> bool:
    """False: it goes on waiting, and in the end a person hears of it."""
    row = await entry_store.lock(session, entry_id)
    if row is None:
        return True
    leg = Leg(row.referral_id, row.child_id, row.agency_id)
    notice_id = await entry_store.notice_of(session, leg, row.told_at)
    if notice_id is None:
        if now - row.entered_at > PATIENCE:
            task = told_without_a_notice(leg.referral_id, entry_id, leg.agency_id)
            await task_store.file_tasks(session, [task], now)
        return False
    call = Call(notice_id, row.told_by, row.told_at, open_secret(sealer, entry_id, row.sealed))
    with suppress(Gone):  # The child's content was destroyed: whom they spoke to goes with it.
        await telling.record(session, sealer, outbox, call, now)
    await entry_store.end(session, entry_id, notice_id, now)
    return True

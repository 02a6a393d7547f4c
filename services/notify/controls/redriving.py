"""Asking for a redrive, and carrying it on: a durable job that ends when all of it is accepted."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.notify.controls import redrive_store
from services.notify.controls.redrives import (
    WITHIN,
    Found,
    Looked,
    NeedsApproval,
    NoSuchAgency,
    NothingToSend,
    Outcome,
    Sort,
    Started,
    Wanted,
    lawful,
    sort,
)
from services.notify.directory.authority import today
from services.notify.planning.plan import DeliveryState
from services.notify.proposals import store as proposal_store
from services.notify.proposals.proposal import OutOfDate, Proposable, Proposal, ProposalKind
from shared.runtime.db import Database, Session
from shared.runtime.ids import utc_now

_AT_ONCE = 200
_JOBS = 20


async def ask(
    session: Session, wanted: Wanted, *, by: str, now: datetime, dry_run: bool
) -> Outcome:
    """Begin it, or, of more notices than one person may have sent again, propose it."""
    looked = await _look(session, wanted, now)
    if looked is None:
        return NoSuchAgency()
    found, notice_ids = looked
    if dry_run:
        return Looked(found)
    if not notice_ids:
        return NothingToSend(found)
    if not found.takes_two:
        made = await redrive_store.start(
            session, wanted, notice_ids, by=by, proposal_id=None, now=now
        )
        return Started(found, made)
    proposal = await proposal_store.propose(
        session,
        ProposalKind.REDRIVE,
        _stored(wanted) | {"listed": found.listed},
        summary=f"Send {found.listed} notices to agency {wanted.agency_id} again.",
        reason=wanted.reason,
        by=by,
        now=now,
    )
    return NeedsApproval(found, proposal.proposal_id)


async def carry_on(db: Database) -> int:
    """A chore: a step of every job that nobody else is at. How many notices were made due."""
    queued = 0
    for skip in range(_JOBS):
        async with db.transaction() as session:
            job = await redrive_store.lock_next(session, skip)
            if job is None:
                break
            now = utc_now()
            permitted = lawful(await redrive_store.agency_of(session, job), today(now))
            queued += await redrive_store.step(session, job, _AT_ONCE, now, permitted=permitted)
    return queued


async def _look(session: Session, wanted: Wanted, now: datetime) -> tuple[Found, list[str]] | None:
    """How many there are of each sort, and which would be sent."""
    agency = await redrive_store.agency(session, wanted.agency_id)
    if agency is None:
        return None
    permitted = lawful(agency, today(now))
    sorted_ = [
        (
            row.notice_id,
            sort(
                DeliveryState(row.state),
                newest=row.newest,
                conflicted=row.conflicted,
                lawful=permitted,
            ),
        )
        for row in await redrive_store.candidates(session, wanted)
    ]
    counts = Counter(each for _, each in sorted_)
    found = Found(
        counts[Sort.WAITING],
        counts[Sort.DELIVERED],
        counts[Sort.LEFT],
        wanted.delivered_too,
        await redrive_store.begun_alone(session, wanted.agency_id, now - WITHIN),
    )
    sorts = {Sort.WAITING, Sort.DELIVERED} if wanted.delivered_too else {Sort.WAITING}
    return found, [notice_id for notice_id, each in sorted_ if each in sorts]


async def _apply(session: Session, proposal: Proposal, now: datetime) -> None:
    """With what there is to send now: more than was shown is another proposal."""
    wanted = _read(proposal.body)
    looked = await _look(session, wanted, now)
    if looked is None or not looked[1] or len(looked[1]) > proposal.body["listed"]:
        raise OutOfDate
    await redrive_store.start(
        session,
        wanted,
        looked[1],
        by=proposal.proposed_by,
        proposal_id=proposal.proposal_id,
        now=now,
    )


def _describe(body: Mapping[str, Any]) -> list[str]:
    wanted = _read(body)
    again = "delivered ones too, each a disclosure again" if wanted.delivered_too else "undelivered"
    return [
        f"{body['listed']} notices to agency {wanted.agency_id}, planned from "
        f"{wanted.planned_from:%Y-%m-%dT%H:%M:%SZ} to {wanted.planned_until:%Y-%m-%dT%H:%M:%SZ} "
        f"({again}), are sent under the same webhook-ids."
    ]


REDRIVES = Proposable(_apply, _describe)


def _stored(wanted: Wanted) -> dict[str, Any]:
    return {
        "agency_id": wanted.agency_id,
        "planned_from": wanted.planned_from.isoformat(),
        "planned_until": wanted.planned_until.isoformat(),
        "delivered_too": wanted.delivered_too,
        "reason": wanted.reason,
    }


def _read(body: Mapping[str, Any]) -> Wanted:
    return Wanted(
        body["agency_id"],
        datetime.fromisoformat(body["planned_from"]),
        datetime.fromisoformat(body["planned_until"]),
        body["delivered_too"],
        body["reason"],
    )

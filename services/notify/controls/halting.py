"""Pausing, stopping and resuming: by a named person with a reason, or by two."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.notify.controls import halt_store
from services.notify.controls.halts import (
    HARTLINE,
    Cause,
    Halt,
    Lifted,
    LiftedBefore,
    Lifting,
    NeedsSecond,
    NoSuchHalt,
)
from services.notify.proposals import store as proposal_store
from services.notify.proposals.proposal import OutOfDate, Proposable, Proposal, ProposalKind
from services.notify.tasks import store as task_store
from services.notify.tasks.task import NewTask, TaskKind
from shared.runtime.db import Session

_WORDS = {
    Cause.PAUSE: "agency {agency} is paused",
    Cause.STOP: "every delivery is stopped",
    Cause.RESTORED: "the database is older than it was, so every delivery is held",
}


async def halt(
    session: Session, cause: Cause, agency_id: str | None, *, reason: str, by: str, now: datetime
) -> Halt | None:
    """In force with this commit, with a task that says so. None: there is no such agency."""
    made = await halt_store.halt(session, cause, agency_id, reason=reason, by=by, now=now)
    if made is not None:
        await task_store.file_tasks(session, [_task(made)], now)
    return made


async def hold_restored(session: Session, now: datetime) -> Halt:
    """Nothing leaves before two people have said that what is due is due."""
    reason = "The database has counted less far than the marker beside it: it was restored."
    made = await halt(session, Cause.RESTORED, None, reason=reason, by=HARTLINE, now=now)
    assert made is not None, "it covers every agency"
    return made


async def lift(session: Session, halt_id: str, *, by: str, why: str, now: datetime) -> Lifting:
    """One person resumes what a person has stopped; of a restored database this only asks."""
    found = await halt_store.lock(session, halt_id)
    if found is None:
        return NoSuchHalt()
    if found.lifted_at is not None:
        return LiftedBefore(found)
    if not found.takes_two:
        return Lifted(await halt_store.lift(session, found, by=by, why=why, now=now))
    made = await proposal_store.propose(
        session,
        ProposalKind.RELEASE,
        {"halt_id": halt_id},
        summary="Release the deliveries of a restored database.",
        reason=why,
        by=by,
        now=now,
    )
    return NeedsSecond(made.proposal_id)


async def _release(session: Session, proposal: Proposal, now: datetime) -> None:
    found = await halt_store.lock(session, proposal.body["halt_id"])
    if found is None or found.lifted_at is not None:
        raise OutOfDate
    await halt_store.lift(session, found, by=proposal.proposed_by, why=proposal.reason, now=now)


def _describe(body: Mapping[str, Any]) -> list[str]:
    return [
        f"Deliveries held by {body['halt_id']} go out: whatever the restored database calls due is "
        "sent, again where it had been sent after the backup.",
    ]


RELEASES = Proposable(_release, _describe)


def _task(made: Halt) -> NewTask:
    detail = (
        f"Since {made.set_at:%Y-%m-%dT%H:%M:%SZ} "
        f"{_WORDS[made.cause].format(agency=made.agency_id)} ({made.halt_id}). Nothing is dropped "
        "and the clocks run. Tell the recipients by "
        f"telephone: GET /v1/halts/{made.halt_id}/notices lists them. In doubt leave it held; who "
        "decides to resume is in docs/runbook.md, held."
    )
    return NewTask(TaskKind.HELD, made.halt_id, None, detail)

"""The HTTP API of conflicts of interest: one person asserts, two lift."""

from typing import Annotated

from fastapi import APIRouter, Depends

from services.notify.api import must_be, must_be_a_person, refuse_agencies
from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.rules import bound_by
from services.notify.conflicts.store import Conflict
from services.notify.conflicts.substitution import Substitutes
from services.notify.conflicts.substitution_loop import fill_one
from services.notify.directory.in_force import Directories
from services.notify.schemas import ConflictIn, ConflictOut, ConflictsOut
from services.notify.tasks import store as task_store
from services.notify.tasks import task as tasks
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database, Session
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import Problem, not_found
from shared.runtime.two_people import same_person

Asserter = Annotated[Principal, Depends(require("conflicts:assert"))]
Lifter = Annotated[Principal, Depends(require("conflicts:lift"))]
Reader = Annotated[Principal, Depends(require("conflicts:read"))]


def conflict_router(db: Database, directories: Directories, substitutes: Substitutes) -> APIRouter:
    """Every route about conflicts. No agency may call one."""
    routes = APIRouter()

    @routes.post("/v1/referrals/{referral_id}/conflicts")
    async def assert_conflict(referral_id: str, body: ConflictIn, person: Asserter) -> ConflictOut:
        """The agency is told nothing more by any claim committed after this answers 200.

        The same again, while it holds: the same answer. A referral that nobody here has heard of
        is no error: it may be on its way.
        """
        refuse_agencies(person)
        must_be_a_person(person, "assert a conflict of interest")
        must_be("ref", referral_id)
        async with db.transaction() as session:
            directory = await directories.current(session)
            if directory.get(body.agency_id) is None:
                raise _unknown_agency()
            conflict = Conflict(
                assertion_id=new_id("ast"),
                referral_id=referral_id,
                child_id=body.child_id,
                agency_ids=tuple(bound_by(body.agency_id, directory)),
                ground=body.ground.value,
                asserted_by=person.subject,
                asserted_at=utc_now(),
            )
            conflict = await _asserted(session, substitutes, conflict)
        await fill_one(db, substitutes, referral_id)
        return ConflictOut.model_validate(conflict)

    @routes.get("/v1/referrals/{referral_id}/conflicts")
    async def conflicts(referral_id: str, reader: Reader) -> ConflictsOut:
        """All of a referral, lifted ones too."""
        refuse_agencies(reader)
        must_be("ref", referral_id)
        async with db.transaction() as session:
            found = await conflict_store.of_referral(session, referral_id)
        shown = [ConflictOut.model_validate(each) for each in found]
        return ConflictsOut(referral_id=referral_id, conflicts=shown)

    @routes.post("/v1/conflicts/{assertion_id}/lift")
    async def lift(assertion_id: str, person: Lifter) -> ConflictOut:
        """The first person asks, and nothing changes; another one lifts it by the same call."""
        refuse_agencies(person)
        must_be_a_person(person, "lift a conflict of interest")
        must_be("ast", assertion_id)
        async with db.transaction() as session:
            conflict = await _lifted(session, assertion_id, person.subject)
        if conflict is None:
            raise not_found()
        return ConflictOut.model_validate(conflict)

    return routes


async def _asserted(session: Session, substitutes: Substitutes, conflict: Conflict) -> Conflict:
    """It, or the one in force that says the same."""
    before = await conflict_store.of_referral(session, conflict.referral_id)
    for each in before:
        same = (each.child_id, each.agency_ids) == (conflict.child_id, conflict.agency_ids)
        if same and each.lifted_at is None:
            return each
    await substitutes.hold(session, conflict)
    return conflict


async def _lifted(session: Session, assertion_id: str, person: str) -> Conflict | None:
    conflict = await conflict_store.locked(session, assertion_id)
    if conflict is None or conflict.lifted_at is not None:
        return conflict
    now = utc_now()
    if conflict.lift_asked_by is None:
        await conflict_store.ask_to_lift(session, assertion_id, person, now)
    elif not same_person(person, conflict.lift_asked_by):
        await conflict_store.lift(session, assertion_id, person, now)
        task = tasks.lifted(conflict.referral_id, conflict.agency_ids[0], assertion_id)
        await task_store.file_tasks(session, [task], now)
    return await conflict_store.locked(session, assertion_id)


def _unknown_agency() -> Problem:
    return Problem(
        422,
        "Unprocessable Content",
        "Nothing was stored.",
        errors=[{"pointer": "#/agency_id", "detail": "must be an agency of the directory"}],
    )

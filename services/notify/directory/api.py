"""The HTTP API of the directory: as of a day or a version, its gaps, and proposals to change it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from services.notify.directory import store as directory_store
from services.notify.directory.agencies import Kind
from services.notify.directory.authority import today
from services.notify.directory.changes import Invalid, Unsaid, describe, draft, propose
from services.notify.directory.coverage import gaps
from services.notify.directory.difference import EntryChange, lines, summary
from services.notify.directory.entries import AgencyEntry
from services.notify.directory.history import in_force
from services.notify.directory.in_force import AsOf, directory_as_of
from services.notify.directory.losses import losses
from services.notify.directory.schemas import (
    AgencyOut,
    CoverageOut,
    DirectoryOut,
    DirectoryProposalIn,
    GapOut,
    HistoryOut,
    ProposalOut,
    TermOut,
)
from services.notify.proposals.api import a_person_only, own_people_only
from services.notify.proposals.proposal import Proposal, ProposalKind, ProposalState
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database, Session
from shared.runtime.errors import Wrong
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import Problem, not_found, of_validation

_PAGE = 500

Reader = Annotated[Principal, Depends(require("directory:read"))]
Proposer = Annotated[Principal, Depends(require("directory:propose"))]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1)]


def directory_router(db: Database, *, samples: bool) -> APIRouter:
    """`samples`: whether sample agencies count as recipients; never in production."""
    routes = APIRouter()

    @routes.get("/v1/directory/agencies")
    async def agencies(
        reader: Reader,
        as_of: date | None = None,
        version: Version = None,
        kind: Kind | None = None,
        town: Annotated[str | None, Query(max_length=40)] = None,
        after: Annotated[str | None, Query(pattern=r"^agy_[0-9a-f]{32}$")] = None,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = 100,
    ) -> DirectoryOut:
        """Who was in force on that day, as far as that version knew; today, by default.

        `town`: of its police, team, prosecutor and offices only.
        """
        own_people_only(reader)
        found = await _as_of(db, as_of, version)
        chosen = _of_town(found, town) if town else set(found.entries)
        ids = sorted(
            id_
            for id_ in chosen
            if (after is None or id_ > after) and kind in (None, found.entries[id_].kind)
        )
        page = [AgencyOut.of(found.entries[id_], found.day) for id_ in ids[:limit]]
        more = page[-1].agency_id if ids[limit:] else None
        return DirectoryOut(version=found.version, as_of=found.day, agencies=page, next=more)

    @routes.get("/v1/directory/agencies/{agency_id}/history")
    async def history(agency_id: str, reader: Reader) -> HistoryOut:
        """Everything that was ever recorded of an agency, in the order in which it holds."""
        own_people_only(reader)
        async with db.transaction() as session:
            terms = await directory_store.terms(session, [agency_id])
        if not terms:
            raise not_found()
        ordered = sorted(terms, key=lambda term: (term.valid_from, term.version))
        shown = [
            TermOut(valid_from=t.valid_from, version=t.version, fields=dict(t.fields))
            for t in ordered
        ]
        return HistoryOut(agency_id=agency_id, terms=shown)

    @routes.get("/v1/directory/coverage")
    async def coverage(reader: Reader, as_of: date | None = None) -> CoverageOut:
        """Which of the 169 towns have nobody who may lawfully be told, and why."""
        own_people_only(reader)
        found = await _as_of(db, as_of, None)
        directory = found.directory() if samples else found.directory().without_samples()
        missing = [
            GapOut(place=gap.place, role=gap.role, why=gap.why)
            for gap in gaps(directory, found.day)
        ]
        return CoverageOut(
            version=found.version, as_of=found.day, towns=len(directory.districts), gaps=missing
        )

    @routes.post("/v1/directory/proposals", status_code=201)
    async def propose_changes(
        body: DirectoryProposalIn, person: Proposer, answer: Response, dry_run: bool = False
    ) -> ProposalOut:
        """Put changes before a second person; with `dry_run`, only say what they would be."""
        a_person_only(person)
        now = utc_now()
        effective = body.effective or today(now)
        async with db.transaction() as session:
            known = in_force(await directory_store.terms(session), effective)
            changes = _drafted(known, body)
            if not dry_run:
                made = await _proposed(session, known, changes, effective, body, person, now)
                return ProposalOut.of(made, describe(made.body))
        lost = losses(known, changes, max(effective, today(now)))
        answer.status_code = 200
        return ProposalOut(
            proposal_id=None,
            kind=ProposalKind.DIRECTORY.value,
            summary=summary(changes),
            reason=body.reason,
            state=ProposalState.OPEN.value,
            proposed_by=person.subject,
            proposed_at=now,
            decided_by=None,
            decided_at=None,
            decision=None,
            difference=lines(changes, effective, lost.lines),
        )

    return routes


async def _as_of(db: Database, as_of: date | None, version: int | None) -> AsOf:
    async with db.transaction() as session:
        found = await directory_as_of(session, today(utc_now()), day=as_of, version=version)
    if found is None:
        raise not_found()
    return found


def _of_town(found: AsOf, town: str) -> set[str]:
    """Of every part of the town and every hour."""
    directory = found.directory()
    offices = set(directory.offices.get(town, ()))
    near = [*directory.mdt_of(town), *directory.states_attorney_of(town)]
    return {agency.agency_id for agency in near} | {
        entry.agency_id
        for entry in found.entries.values()
        if town in entry.towns
        or any(beat.partition("@")[0].partition("/")[0] == town for beat in entry.beats)
        or offices & set(entry.offices)
    }


async def _proposed(
    session: Session,
    known: Mapping[str, AgencyEntry],
    changes: Sequence[EntryChange],
    effective: date,
    body: DirectoryProposalIn,
    person: Principal,
    now: datetime,
) -> Proposal:
    try:
        return await propose(
            session,
            known,
            changes,
            effective,
            reason=body.reason,
            by=person.subject,
            now=now,
            leaves_without=body.leaves_without,
        )
    except Unsaid as unsaid:
        where: Any = {"type": "value_error", "loc": ("body", "leaves_without")}
        error: Any = {**where, "msg": str(unsaid), "ctx": {"error": Wrong(str(unsaid))}}
        raise of_validation([error], body.model_dump(mode="json")) from None


def _drafted(known: Mapping[str, AgencyEntry], body: DirectoryProposalIn) -> Sequence[EntryChange]:
    try:
        changes = draft(known, body.changes, lambda: new_id("agy"))
    except Invalid as invalid:
        errors: list[Any] = [
            {**error, "loc": ("body", "changes", place, *error["loc"])}
            for place, error in invalid.errors
        ]
        raise of_validation(errors, body.model_dump(mode="json")) from None
    if not changes:
        raise Problem(409, "Conflict", "Nothing would change: it is so already on that day.")
    return changes

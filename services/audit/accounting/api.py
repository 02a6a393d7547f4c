"""Accounting, withholding and search over HTTP. Every read is an entry before its first byte."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Query, Response

from services.audit import reading
from services.audit.accounting import store, withholding_desk
from services.audit.accounting.asking import (
    AUTHORITY,
    Accountant,
    Accounting,
    Purpose,
    Question,
)
from services.audit.accounting.letter import letter
from services.audit.accounting.schemas import (
    AccountingOut,
    FoundOut,
    SearchIn,
    SearchOut,
    WithholdingIn,
    WithholdingOut,
    WithholdingsOut,
    accounting_out,
    withholding_out,
)
from services.audit.accounting.searching import Search, search
from services.audit.accounting.withholding import (
    Audience,
    Ground,
    LiftAsked,
    Lifted,
    NotInForce,
    SamePerson,
    Withholding,
)
from services.audit.leaf import Asked
from services.audit.reading import Reader
from services.audit.traces import Facet
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import Problem, not_found

_Reader = Annotated[Principal, Depends(require("accounting:read"))]
_Withholder = Annotated[Principal, Depends(require("accounting:withhold"))]
_Page = Annotated[str, Query(pattern=r"^wth_[0-9a-f]{32}$")]
_PAGE = 100


@dataclass(frozen=True, slots=True)
class AccountingDesk:
    """What the routes stand on."""

    db: Database
    accountant: Accountant
    clock: Callable[[], datetime] = utc_now


def accounting_routes(desk: AccountingDesk) -> APIRouter:
    """Reading the record of one person, and the log."""
    router = APIRouter(prefix="/v1")

    @router.get("/accounting/{child_id}")
    async def accounting(
        child_id: str,
        caller: _Reader,
        purpose: Purpose,
        audience: Audience = Audience.OFFICER,
        proofs: bool = False,
    ) -> AccountingOut:
        """Who saw what of this person, across referrals, as this audience may have it."""
        reader = must_be_a_person(caller)
        must_be("chd", child_id)
        question = Question(child_id, purpose, audience, reader, proofs=proofs)
        return accounting_out(await _answer(desk, question))

    @router.get("/accounting/{child_id}/letter", response_class=Response)
    async def as_letter(
        child_id: str, caller: _Reader, purpose: Purpose, audience: Audience
    ) -> Response:
        """The same as a letter in PDF. Whose copy it is must be said."""
        reader = must_be_a_person(caller)
        must_be("chd", child_id)
        question = Question(child_id, purpose, audience, reader, Asked.LETTER)
        pdf = await asyncio.to_thread(letter, await _answer(desk, question))
        return Response(pdf, media_type="application/pdf")

    @router.post("/search")
    async def searching(body: SearchIn, caller: _Reader) -> SearchOut:
        """Entries by subject, agency, actor, authority and period, a page at a time."""
        reader = must_be_a_person(caller)
        found = await search(desk.db, _search(body, reader))
        return SearchOut(
            found=[
                FoundOut(
                    index=entry.index,
                    kind=entry.kind,
                    sequenced_at=entry.sequenced_at,
                    referral_id=content.get("referral_id"),
                    child_ids=content["record"].get("child_ids")
                    or [each for each in [content["record"].get("child_id")] if each],
                    **{
                        name: content["record"].get(name)
                        for name in ("disclosure_id", "agency_id", "actor", "authority", "purpose")
                    },
                )
                for entry, content in found.entries
            ],
            next=found.next,
        )

    return router


def withholding_routes(desk: AccountingDesk) -> APIRouter:
    """Withholding rows, and lifting that."""
    router = APIRouter(prefix="/v1")

    @router.post("/accounting/{child_id}/withholdings", status_code=201)
    async def withhold(child_id: str, body: WithholdingIn, caller: _Withholder) -> WithholdingOut:
        """One person withholds; with `until`, suspends until then on request of an agency."""
        by = must_be_a_person(caller).subject
        must_be("chd", child_id)
        now = desk.clock()
        made = _withholding(child_id, body, by, now)
        await _must_be_there(desk, made)
        await withholding_desk.withhold(desk.db, made)
        return withholding_out(made, now)

    @router.get("/withholdings")
    async def withholdings(caller: _Withholder, after: _Page | None = None) -> WithholdingsOut:
        """Those that nobody has lifted; `due` where a suspension has expired."""
        reader = must_be_a_person(caller)
        async with desk.db.transaction() as session:
            found = await store.open_withholdings(session, _PAGE + 1, after or "")
            page, now = found[:_PAGE], desk.clock()
            of = sorted({each.child_id for each in page})
            more = {"purpose": Purpose.COMPLIANCE_REVIEW.value, "authority": AUTHORITY}
            await reading.record(session, reader, Asked.WITHHOLDINGS, "log", of=of, more=more)
        return WithholdingsOut(
            withholdings=[withholding_out(each, now) for each in page],
            next=page[-1].withholding_id if len(found) > _PAGE else None,
        )

    @router.post("/withholdings/{withholding_id}/lifting")
    async def lifting(withholding_id: str, caller: _Withholder) -> WithholdingOut:
        """One person asks, another lifts; what has expired one person settles."""
        by = must_be_a_person(caller).subject
        must_be("wth", withholding_id)
        now = desk.clock()
        outcome = await withholding_desk.lift_withholding(desk.db, withholding_id, by, now)
        match outcome:
            case None:
                raise not_found()
            case LiftAsked(withholding=after) | Lifted(withholding=after):
                return withholding_out(after, now)
            case SamePerson():
                raise Problem(409, "Conflict", "Somebody else must lift what you asked to lift.")
            case NotInForce():
                raise Problem(409, "Conflict", "It was lifted before.")
            case _:
                assert_never(outcome)

    return router


def must_be_a_person(caller: Principal) -> Reader:
    """The record of a child is read by somebody who can be asked why, and by no agency."""
    if not caller.person or caller.agency is not None:
        raise Problem(403, "Forbidden", "Only a person of the department can do this.")
    return Reader(caller.subject, person=True)


def must_be(kind: str, opaque_id: str) -> None:
    """What cannot be an id is as unknown as an id that is not there (P10)."""
    if not re.fullmatch(rf"{kind}_[0-9a-f]{{32}}", opaque_id, re.ASCII):
        raise not_found()


async def _answer(desk: AccountingDesk, question: Question) -> Accounting:
    made = await desk.accountant.answer(question)
    if made is None:
        raise not_found()
    return made


def _search(body: SearchIn, reader: Reader) -> Search:
    given = {
        Facet.SUBJECT: body.subject,
        Facet.AGENCY: body.agency_id,
        Facet.ACTOR: body.actor,
        Facet.AUTHORITY: body.authority,
    }
    facets = {facet: value for facet, value in given.items() if value is not None}
    return Search(reader, body.purpose, facets, body.since, body.before, body.after, body.limit)


def _withholding(child_id: str, body: WithholdingIn, by: str, now: datetime) -> Withholding:
    suspension = body.ground is Ground.LAW_ENFORCEMENT_REQUEST
    if suspension != (body.until is not None):
        raise _refused("until", "belongs to law_enforcement_request, and only to that")
    if suspension != (body.agency_id is not None):
        raise _refused("agency_id", "belongs to law_enforcement_request, and only to that")
    if body.until is not None and body.until <= now:
        raise _refused("until", "must be in the future")
    return Withholding(
        withholding_id=new_id("wth"),
        child_id=child_id,
        disclosure_ids=tuple(body.disclosure_ids),
        ground=body.ground,
        citation=body.citation,
        agency_id=body.agency_id,
        until=body.until,
        withheld_by=by,
        withheld_at=now,
    )


async def _must_be_there(desk: AccountingDesk, new: Withholding) -> None:
    """Nobody is told that something is withheld that the accounting does not hold."""
    rows = await desk.accountant.rows_of(new.child_id)
    if rows is None:
        raise not_found()
    for position, row_id in enumerate(new.disclosure_ids):
        if row_id not in rows:
            detail = "is no row of this person's accounting"
            raise _refused(f"disclosure_ids/{position}", detail)


def _refused(field: str, detail: str) -> Problem:
    return Problem(
        422,
        "Unprocessable Content",
        "Some fields are not as they must be; nothing was stored.",
        errors=[{"pointer": f"#/{field}", "detail": detail}],
    )

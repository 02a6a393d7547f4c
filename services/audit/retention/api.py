"""Retention over HTTP: what is due, holds, and the destruction of content by two people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Query

from services.audit import reading
from services.audit.accounting.api import must_be, must_be_a_person
from services.audit.accounting.asking import AUTHORITY, Purpose
from services.audit.leaf import Asked
from services.audit.reading import Reader
from services.audit.retention import due as due_report
from services.audit.retention import store
from services.audit.retention.desk import RetentionDesk
from services.audit.retention.rules import (
    AlreadySettled,
    Hold,
    Obstacle,
    OnHold,
    SamePerson,
    Shredding,
    TooEarly,
    UnderDestruction,
)
from services.audit.retention.schemas import (
    DueChild,
    DueOut,
    HoldIn,
    HoldOut,
    HoldsOut,
    ShreddingIn,
    ShreddingOut,
    ShreddingsOut,
)
from shared.runtime.auth import Principal, require
from shared.runtime.db import Session
from shared.runtime.problem import Problem, not_found

_Reader = Annotated[Principal, Depends(require("retention:read"))]
_Asker = Annotated[Principal, Depends(require("retention:ask"))]
_Approver = Annotated[Principal, Depends(require("retention:approve"))]
_Holder = Annotated[Principal, Depends(require("retention:hold"))]
_AfterShredding = Annotated[str, Query(pattern=r"^shr_[0-9a-f]{32}$")]
_AfterHold = Annotated[str, Query(pattern=r"^hld_[0-9a-f]{32}$")]
_AfterTrace = Annotated[int, Query(ge=due_report.BEGINNING, le=2**63 - 1)]
_PAGE = 100


def shredding_routes(desk: RetentionDesk) -> APIRouter:
    """The destruction of one child's content: asked, approved, carried out, confirmed."""
    router = APIRouter(prefix="/v1")

    @router.post("/children/{child_id}/shreddings", status_code=201)
    async def ask(child_id: str, body: ShreddingIn, caller: _Asker) -> ShreddingOut:
        """One person asks. Nothing happens until another approves."""
        by = must_be_a_person(caller).subject
        must_be("chd", child_id)
        return _shredding(await desk.ask(child_id, body.ground, body.citation, by))

    @router.post("/shreddings/{shredding_id}/approval")
    async def approval(shredding_id: str, caller: _Approver) -> ShreddingOut:
        """Another person approves; it cannot be taken back."""
        by = must_be_a_person(caller).subject
        must_be("shr", shredding_id)
        return _shredding(await desk.approve(shredding_id, by))

    @router.post("/shreddings/{shredding_id}/refusal")
    async def refusal(shredding_id: str, caller: _Approver) -> ShreddingOut:
        by = must_be_a_person(caller).subject
        must_be("shr", shredding_id)
        return _shredding(await desk.refuse(shredding_id, by))

    @router.get("/shreddings/{shredding_id}")
    async def one(shredding_id: str, caller: _Reader) -> ShreddingOut:
        """How far it is, and who has confirmed."""
        reader = must_be_a_person(caller)
        must_be("shr", shredding_id)
        async with desk.db.transaction() as session:
            found = await store.lock_shredding(session, shredding_id)
            confirmed = await store.confirmations(session, shredding_id)
            await _record(session, reader, Asked.SHREDDINGS, [found] if found else [])
        return _shredding(found, confirmed)

    @router.get("/shreddings")
    async def several(caller: _Reader, after: _AfterShredding | None = None) -> ShreddingsOut:
        reader = must_be_a_person(caller)
        async with desk.db.transaction() as session:
            found = await store.shreddings(session, after or "", _PAGE + 1)
            await _record(session, reader, Asked.SHREDDINGS, found[:_PAGE])
        page = [ShreddingOut.of(each) for each in found[:_PAGE]]
        return ShreddingsOut(
            shreddings=page, next=page[-1].shredding_id if len(found) > _PAGE else None
        )

    return router


def hold_routes(desk: RetentionDesk) -> APIRouter:
    """Legal holds, and the report of what is due."""
    router = APIRouter(prefix="/v1")

    @router.post("/children/{child_id}/holds", status_code=201)
    async def place(child_id: str, body: HoldIn, caller: _Holder) -> HoldOut:
        """One person holds; nothing of this person is destroyed from then on."""
        by = must_be_a_person(caller).subject
        must_be("chd", child_id)
        return _hold(await desk.hold(child_id, body.citation, by))

    @router.post("/holds/{hold_id}/release")
    async def release(hold_id: str, caller: _Holder) -> HoldOut:
        """One person asks, another releases."""
        by = must_be_a_person(caller).subject
        must_be("hld", hold_id)
        return _hold(await desk.release(hold_id, by))

    @router.get("/holds")
    async def holds(caller: _Reader, after: _AfterHold | None = None) -> HoldsOut:
        reader = must_be_a_person(caller)
        async with desk.db.transaction() as session:
            found = await store.holds(session, after or "", _PAGE + 1)
            await _record(session, reader, Asked.HOLDS, found[:_PAGE])
        page = [HoldOut.of(each) for each in found[:_PAGE]]
        return HoldsOut(holds=page, next=page[-1].hold_id if len(found) > _PAGE else None)

    @router.get("/retention/due")
    async def due(caller: _Reader, after: _AfterTrace = due_report.BEGINNING) -> DueOut:
        """Children of whom nobody has seen anything for as long as content is kept."""
        reader = must_be_a_person(caller)
        report = await due_report.due(desk, reader, after)
        children = [
            DueChild(
                child_id=each.child_id,
                referral_id=each.referral_id,
                last_at=each.last_at,
                held=each.held,
            )
            for each in report.due
        ]
        return DueOut(years=desk.years, due=children, next=report.next)

    return router


async def _record(
    session: Session, reader: Reader, asked: Asked, shown: Sequence[Shredding | Hold]
) -> None:
    """Whoever is named has it in their accounting; it keeps nothing from being destroyed."""
    more = {"purpose": Purpose.RETENTION.value, "authority": AUTHORITY}
    of = sorted({each.child_id for each in shown})
    await reading.record(session, reader, asked, "log", of=of, more=more)


def _shredding(
    outcome: Shredding | Obstacle | None, confirmed: dict[str, datetime] | None = None
) -> ShreddingOut:
    if isinstance(outcome, Shredding):
        return ShreddingOut.of(outcome, confirmed)
    raise _refusal(outcome)


def _hold(outcome: Hold | Obstacle | None) -> HoldOut:
    if isinstance(outcome, Hold):
        return HoldOut.of(outcome)
    raise _refusal(outcome)


def _refusal(outcome: Obstacle | None) -> Problem:
    match outcome:
        case None:
            return not_found()
        case OnHold():
            return Problem(409, "Conflict", "A legal hold is in force: nothing is destroyed.")
        case TooEarly(years=years):
            detail = f"Somebody saw something of this child less than {years} years ago."
            return Problem(409, "Conflict", detail)
        case SamePerson():
            return Problem(409, "Conflict", "It takes a second person.")
        case AlreadySettled():
            return Problem(409, "Conflict", "It is decided, or under way, already.")
        case UnderDestruction():
            detail = "Two people have ordered the destruction of this content: it is too late."
            return Problem(409, "Conflict", detail)
        case _:
            assert_never(outcome)

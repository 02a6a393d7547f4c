"""The HTTP routes of intake: requests in, outcomes out. Rules and storage live elsewhere."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake import amending, receiving, referrals, store
from services.intake.access import NotTheirs
from services.intake.amending import Again, Amending, Change, Current
from services.intake.answers import describe, version_of
from services.intake.areas import Areas
from services.intake.codes import code_lists
from services.intake.decisions.rules import Withdrawn
from services.intake.inputs import (
    amendment_key,
    expected_versions,
    idempotency_key,
    json_body,
    referral_id,
    refusing,
)
from services.intake.life import Life
from services.intake.receiving import KeyReused, Receiving
from services.intake.records import Version
from services.intake.referrals import Stale
from services.intake.replies import conflict, created, key_reused, reply
from services.intake.retrying import until_known
from services.intake.schemas import NewReferral
from services.intake.statistics.api import StatisticsDesk
from services.intake.viewing import Viewing
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import Problem, not_found

Creator = Annotated[Principal, Depends(require("referrals:create"))]
Amender = Annotated[Principal, Depends(require("referrals:amend"))]
Asker = Annotated[Principal, Depends(require("referrals:status"))]
Typist = Annotated[Principal, Depends(require("referrals:create", "referrals:status"))]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the routes stand on."""

    db: Database
    receiving: Receiving
    amending: Amending
    viewing: Viewing
    towns: Collection[str]
    life: Life
    areas: Areas
    statistics: StatisticsDesk


def creation(desk: Desk) -> APIRouter:
    """The one route by which every referral comes in."""
    router = APIRouter()

    @router.post("/v1/referrals", status_code=201)
    async def create(request: Request, caller: Creator) -> Response:
        """Keep a referral. Needs Idempotency-Key; sent again, it gives the first answer again."""
        key = idempotency_key(request)
        body = await json_body(request)
        now = utc_now()
        with refusing():
            referral = referrals.read(NewReferral, body)
            referrals.check(referral, now, desk.towns)
            wanted = receiving.Request(caller.subject, key, body, referral, now)
            return created(await desk.receiving.receive(wanted))

    return router


def routes(desk: Desk) -> APIRouter:
    """The other routes of referrals; each area beside has its own."""
    router = APIRouter()
    code_lists_json = code_lists().model_dump_json(exclude_none=True)

    @router.patch("/v1/referrals/{referral_id}")
    async def amend(request: Request, caller: Amender) -> Response:
        """Amend a referral by JSON Merge Patch (RFC 7396). Needs If-Match with its ETag.

        With an Idempotency-Key it may be sent again: the first answer comes again.
        """
        subject = referral_id(request)
        key = amendment_key(request)
        expected = expected_versions(request)
        patch = await json_body(request)
        change = Change(subject, caller.subject, expected, patch, utc_now(), new_id("chg"), key)
        with refusing():
            outcome = await desk.amending.amend(change)
        return _amended(outcome)

    @router.get("/v1/referrals/{referral_id}")
    async def status(request: Request, caller: Asker) -> Response:
        """How a referral stands: ids, version and times, never content. For who created it."""
        subject = referral_id(request)
        found = await until_known(lambda: _current(desk.db, subject))
        if found is None or found.owner != caller.subject:
            raise not_found()
        return reply(describe(found), etag=found.version)

    @router.get("/v1/code-lists")
    async def lists(caller: Typist) -> Response:
        """Every code that a referral may use, with the source of each list."""
        return reply(code_lists_json)

    return router


async def _current(db: Database, subject: str) -> Version | None:
    async with db.transaction() as session:
        return await store.read_current(session, subject)


def _amended(outcome: amending.Outcome) -> Response:
    match outcome:
        case Current(version=current):
            return reply(describe(current), etag=current.version)
        case Again(answer=answer):
            return reply(answer, etag=version_of(answer))
        case KeyReused():
            raise key_reused()
        case Stale():
            detail = "The referral has a newer version: read its status, then amend that."
            raise Problem(412, "Precondition Failed", detail)
        case Withdrawn():
            raise conflict("The referral is withdrawn: what is so after all is a new referral.")
        case NotTheirs():
            raise not_found()
        case _:
            assert_never(outcome)

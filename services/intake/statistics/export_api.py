"""The HTTP routes of exports."""

import re
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake import referrals
from services.intake.inputs import idempotency_key, json_body, refusing
from services.intake.receiving import KeyReused
from services.intake.replies import key_reused, only_a_person
from services.intake.statistics import answers
from services.intake.statistics.exporting import (
    Asking,
    Content,
    Exporting,
    NotApproved,
    SameHands,
)
from services.intake.statistics.inputs import fitting, json_answer
from services.intake.statistics.records import Export, Format
from services.intake.statistics.schemas import NewExport
from shared.runtime.auth import Principal, require
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found

Exporter = Annotated[Principal, Depends(require("statistics:export"))]
Approver = Annotated[Principal, Depends(require("statistics:approve"))]

_EXPORT_ID = re.compile(r"exp_[0-9a-f]{32}")


def export_routes(exporting: Exporting) -> APIRouter:
    """Exact figures as a file: one asks, another approves, and each fetch is a disclosure."""
    router = APIRouter(prefix="/v1/statistics/exports")

    @router.post("", status_code=201)
    async def ask(request: Request, caller: Exporter) -> Response:
        """Ask for an export. Needs Idempotency-Key, and a person."""
        who, key = only_a_person(caller), idempotency_key(request)
        body = await json_body(request)
        with refusing():
            wanted = referrals.read(NewExport, body)
        asking = Asking(
            who, key, body, wanted.kind, wanted.year, wanted.month, wanted.format, utc_now()
        )
        outcome = await exporting.ask(asking)
        if isinstance(outcome, KeyReused):
            raise key_reused()
        return json_answer(answers.export(outcome), 201)

    @router.get("/{export_id}")
    async def status(request: Request, caller: Exporter) -> Response:
        """How an export stands, for who asked for it."""
        found = await exporting.find(_export_id(request))
        if found is None or found.asked_by != caller.subject:
            raise not_found()
        return json_answer(answers.export(found))

    @router.post("/{export_id}/approval")
    async def approve(request: Request, caller: Approver) -> Response:
        """Approve somebody else's export. It holds for a day."""
        who = only_a_person(caller)
        outcome = await exporting.approve(_export_id(request), who, utc_now())
        return _approved(outcome)

    @router.post("/{export_id}/content")
    async def content(request: Request, caller: Exporter) -> Response:
        """The figures, for who asked, once another has approved. On record before the answer."""
        only_a_person(caller)
        outcome = await exporting.fetch(_export_id(request), caller, utc_now())
        return _content(outcome)

    return router


def _export_id(request: Request) -> str:
    return fitting(request, "export_id", _EXPORT_ID)


def _approved(outcome: Export | SameHands | None) -> Response:
    match outcome:
        case None:
            raise not_found()
        case SameHands():
            raise Problem(409, "Conflict", "Another person than who asked must approve it.")
        case Export():
            return json_answer(answers.export(outcome))
        case _:
            assert_never(outcome)


def _content(outcome: Content | NotApproved | None) -> Response:
    match outcome:
        case None:
            raise not_found()
        case NotApproved():
            detail = "Nobody else has approved this export within the last 24 hours."
            raise Problem(409, "Conflict", detail)
        case Content():
            media = "text/csv" if outcome.format is Format.CSV else "application/json"
            return Response(outcome.text, media_type=media)
        case _:
            assert_never(outcome)

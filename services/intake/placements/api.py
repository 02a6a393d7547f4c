"""The HTTP routes of placements and repatriations."""

from dataclasses import dataclass
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake.asking import asked
from services.intake.inputs import opaque_id, unprocessable
from services.intake.once import Answer
from services.intake.placements.gate import Confirmed, Finding, Implicated, NotTold, Refuses
from services.intake.placements.placing import OutOfTime, Placing, Unknown
from services.intake.placements.repatriating import Repatriating
from services.intake.placements.schemas import (
    Confirmation,
    NewDetermination,
    NewPlacement,
    NewRepatriation,
    Telling,
)
from services.intake.receiving import KeyReused, StillOpen
from services.intake.replies import answered, conflict, only_a_person
from services.intake.strict_json import Flaw
from shared.runtime.auth import Principal, require
from shared.runtime.problem import not_found

Proposer = Annotated[Principal, Depends(require("placements:propose"))]
Teller = Annotated[Principal, Depends(require("placements:tell"))]
Confirmer = Annotated[Principal, Depends(require("placements:confirm"))]
Determiner = Annotated[Principal, Depends(require("repatriations:determine"))]
Permitter = Annotated[Principal, Depends(require("repatriations:permit"))]

Outcome = (
    Answer
    | Unknown
    | OutOfTime
    | NotTold
    | Implicated
    | Confirmed
    | Refuses
    | KeyReused
    | StillOpen
)
_WORDS = {
    Finding.BEST_INTEREST: "that it is in the child's best interest (best_interest)",
    Finding.NO_RETRAFFICKING_RISK: "that there is no risk of re-trafficking "
    "(no_retrafficking_risk)",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What the routes stand on."""

    placing: Placing
    repatriating: Repatriating


def routes(desk: Desk) -> APIRouter:
    """Every route of placements and repatriations; each needs a person and Idempotency-Key."""
    router = APIRouter()

    @router.post("/v1/placements", status_code=201)
    async def propose(request: Request, caller: Proposer) -> Response:
        """Propose a placement. It is not confirmed yet."""
        ask, wanted = await asked(request, caller, NewPlacement)
        return _created(await desk.placing.propose(ask, wanted))

    @router.post("/v1/placements/{placement_id}/tellings", status_code=201)
    async def tell(request: Request, caller: Teller) -> Response:
        """Record that the facility was told by word of mouth, with the warning read."""
        only_a_person(caller)
        placement_id = opaque_id(request, "placement_id", "plc")
        ask, wanted = await asked(request, caller, Telling)
        if not wanted.warning_read:
            detail = "must be true: read the confidentiality warning to whom you tell, then record"
            raise unprocessable(Flaw(("warning_read",), detail))
        return _created(await desk.placing.tell(ask, placement_id, wanted))

    @router.post("/v1/placements/{placement_id}/confirmation", status_code=201)
    async def confirm(request: Request, caller: Confirmer) -> Response:
        """Confirm a placement whose facility was told of the victim status."""
        only_a_person(caller)
        placement_id = opaque_id(request, "placement_id", "plc")
        ask, _ = await asked(request, caller, Confirmation)
        return _created(await desk.placing.confirm(ask, placement_id))

    @router.post("/v1/repatriations/determinations", status_code=201)
    async def determine(request: Request, caller: Determiner) -> Response:
        """Record one of the two determinations."""
        only_a_person(caller)
        ask, wanted = await asked(request, caller, NewDetermination)
        return _created(await desk.repatriating.determine(ask, wanted))

    @router.post("/v1/repatriations", status_code=201)
    async def permit(request: Request, caller: Permitter) -> Response:
        """Record a repatriation, which both determinations must permit."""
        only_a_person(caller)
        ask, wanted = await asked(request, caller, NewRepatriation)
        return _created(await desk.repatriating.permit(ask, wanted))

    return router


def _created(outcome: Outcome) -> Response:
    match outcome:
        case Unknown():
            raise not_found()
        case OutOfTime():
            raise unprocessable(Flaw(("told_at",), "must not be in the future"))
        case NotTold():
            raise conflict(
                "The facility has not been told of the child's victim status: record that telling "
                "first, with victim_status among its fields."
            )
        case Implicated():
            raise conflict("The facility is implicated: propose another placement.")
        case Confirmed():
            raise conflict("The placement is confirmed already.")
        case Refuses():
            raise conflict(_refusal(outcome))
        case Answer() | KeyReused() | StillOpen():
            return answered(outcome)
        case _:
            assert_never(outcome)


def _refusal(refused: Refuses) -> str:
    parts = [f"not determined yet {_WORDS[each]}" for each in refused.missing]
    parts += [f"determined against {_WORDS[each]}" for each in refused.against]
    return f"Repatriation needs two determinations: {'; '.join(parts)}."

"""The operations of law-enforcement operation notices, placements and repatriations."""

from functools import partial

from services.intake.openapi import hart_answers
from services.intake.openapi.operations import Key, Operation, Takes
from services.intake.operations.schemas import NewEnd, NewOperation
from services.intake.placements.schemas import (
    Confirmation,
    NewDetermination,
    NewPlacement,
    NewRepatriation,
    Telling,
)

_once = partial(Operation, method="POST", key=Key.REQUIRED, status=201)
_UNKNOWN = frozenset({404, 410})

OPERATIONS = (
    _once(
        id="keepOperation",
        path="/v1/operations",
        tag="operations",
        summary="Keep a law-enforcement operation notice for the people it names.",
        scopes=("operations:create",),
        takes=Takes("NewOperation", NewOperation),
        answer=hart_answers.OperationKept,
    ),
    Operation(
        id="readOperations",
        method="GET",
        path="/v1/operations",
        tag="operations",
        summary="The operations under way that name the caller: ids and ends.",
        scopes=("operations:read",),
        answer=hart_answers.Operations,
        person=True,
    ),
    Operation(
        id="readOperation",
        method="POST",
        path="/v1/operations/{operation_id}/content",
        tag="operations",
        summary="The notice, for a person it names, while it is under way. Recorded first.",
        scopes=("operations:read",),
        answer=hart_answers.OperationContent,
    ),
    _once(
        id="endOperation",
        path="/v1/operations/{operation_id}/ends",
        tag="operations",
        summary="Move the end, or end it now. By a named person.",
        scopes=("operations:end",),
        takes=Takes("NewEnd", NewEnd),
        answer=hart_answers.OperationKept,
    ),
    _once(
        id="proposePlacement",
        path="/v1/placements",
        tag="placements",
        summary="Propose a placement. It is not confirmed yet.",
        scopes=("placements:propose",),
        takes=Takes("NewPlacement", NewPlacement),
        answer=hart_answers.PlacementKept,
        also=_UNKNOWN,
    ),
    _once(
        id="tellFacility",
        path="/v1/placements/{placement_id}/tellings",
        tag="placements",
        summary="Record that the facility was told by word of mouth, with the warning read.",
        scopes=("placements:tell",),
        takes=Takes("Telling", Telling),
        answer=hart_answers.TellingKept,
        person=True,
    ),
    _once(
        id="confirmPlacement",
        path="/v1/placements/{placement_id}/confirmation",
        tag="placements",
        summary="Confirm a placement whose facility was told of the victim status.",
        scopes=("placements:confirm",),
        takes=Takes("Confirmation", Confirmation),
        answer=hart_answers.PlacementConfirmed,
        person=True,
    ),
    _once(
        id="determineRepatriation",
        path="/v1/repatriations/determinations",
        tag="repatriations",
        summary="Record one of the two determinations.",
        scopes=("repatriations:determine",),
        takes=Takes("NewDetermination", NewDetermination),
        answer=hart_answers.DeterminationKept,
        person=True,
        also=_UNKNOWN,
    ),
    _once(
        id="permitRepatriation",
        path="/v1/repatriations",
        tag="repatriations",
        summary="Record a repatriation, which both determinations must permit.",
        scopes=("repatriations:permit",),
        takes=Takes("NewRepatriation", NewRepatriation),
        answer=hart_answers.RepatriationKept,
        person=True,
        also=_UNKNOWN,
    ),
)

"""The operations of calls."""

from services.intake.calls.schemas import Closing, NewCall, Reading
from services.intake.openapi import answers
from services.intake.openapi.operations import Key, Operation, Takes

_DRAFT = {
    "type": "object",
    "description": "What is known of the referral so far: any part of NewReferral but "
    "`received_at` and `synthetic`, which are the call's. Replaces what was kept before.",
}
_LAST = {
    "type": "object",
    "description": "A last JSON Merge Patch of the draft, or `{}`.",
}

OPERATIONS = (
    Operation(
        id="openCall",
        method="POST",
        path="/v1/calls",
        tag="calls",
        summary="Open a call, to keep what is typed while the caller is on the line.",
        scopes=("calls:write",),
        takes=Takes("NewCall", NewCall),
        key=Key.REQUIRED,
        status=201,
        answer=answers.CallStatus,
    ),
    Operation(
        id="readCallStatus",
        method="GET",
        path="/v1/calls/{call_id}",
        tag="calls",
        summary="How a call stands, never what was typed.",
        scopes=("calls:status",),
        answer=answers.CallStatus,
        etag=True,
    ),
    Operation(
        id="saveDraft",
        method="PUT",
        path="/v1/calls/{call_id}/draft",
        tag="calls",
        summary="Keep what was typed so far, in place of what was kept before.",
        scopes=("calls:write",),
        takes=Takes("Draft", _DRAFT),
        answer=answers.CallStatus,
        etag=True,
        also=frozenset({409}),
    ),
    Operation(
        id="readCall",
        method="POST",
        path="/v1/calls/{call_id}/readings",
        tag="calls",
        summary="What was typed, for a person who sees to it. Recorded first.",
        scopes=("calls:read",),
        takes=Takes("CallReading", Reading),
        answer=answers.TypedSoFar,
        person=True,
    ),
    Operation(
        id="finishCall",
        method="POST",
        path="/v1/calls/{call_id}/referral",
        tag="calls",
        summary="Make the call a referral: the answers are those of createReferral.",
        scopes=("calls:write",),
        takes=Takes("LastPatch", _LAST),
        key=Key.REQUIRED,
        status=201,
        answer=answers.ReferralStatus,
        etag=True,
        location=True,
    ),
    Operation(
        id="closeCall",
        method="POST",
        path="/v1/calls/{call_id}/closing",
        tag="calls",
        summary="A person says that a call is no referral, and why; or which referral holds it.",
        scopes=("calls:close",),
        takes=Takes("Closing", Closing),
        key=Key.REQUIRED,
        status=201,
        answer=answers.CallStatus,
        person=True,
    ),
)

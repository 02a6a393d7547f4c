"""The operations of referrals."""

from services.intake.openapi import answers
from services.intake.openapi.operations import MERGE_PATCH, Key, Operation, Takes
from services.intake.schemas import NewReferral, NiemRequest, ProjectionRequest, ProjectionsRequest

_PATCH = {
    "type": "object",
    "description": "JSON Merge Patch (RFC 7396) of the referral. An array is replaced: `children` "
    "holds every child, whole, each known one with its `child_id`.",
}
NEW_REFERRAL = Takes("NewReferral", NewReferral)

OPERATIONS = (
    Operation(
        id="createReferral",
        method="POST",
        path="/v1/referrals",
        tag="referrals",
        summary="Keep a referral. After the 201 it is kept; sent again, the same answer.",
        scopes=("referrals:create",),
        takes=NEW_REFERRAL,
        key=Key.REQUIRED,
        status=201,
        answer=answers.ReferralStatus,
        etag=True,
        location=True,
    ),
    Operation(
        id="amendReferral",
        method="PATCH",
        path="/v1/referrals/{referral_id}",
        tag="referrals",
        summary="Amend a referral by JSON Merge Patch, against the version in If-Match.",
        scopes=("referrals:amend",),
        takes=Takes("ReferralPatch", _PATCH, MERGE_PATCH),
        key=Key.WELCOME,
        if_match=True,
        answer=answers.ReferralStatus,
        etag=True,
    ),
    Operation(
        id="readReferralStatus",
        method="GET",
        path="/v1/referrals/{referral_id}",
        tag="referrals",
        summary="How a referral stands, for who created it: never content.",
        scopes=("referrals:status",),
        answer=answers.ReferralStatus,
        etag=True,
    ),
    Operation(
        id="readCodeLists",
        method="GET",
        path="/v1/code-lists",
        tag="referrals",
        summary="Every code that a referral may use, with the source of each list.",
        scopes=("referrals:create", "referrals:status"),
        answer=answers.CodeLists,
    ),
    Operation(
        id="readNiem",
        method="POST",
        path="/v1/referrals/{referral_id}/versions/{version}/niem",
        tag="referrals",
        summary="One version as one profile may see it, under NIEM 6.0's names. Recorded first.",
        scopes=("referrals:niem",),
        takes=Takes("NiemRequest", NiemRequest),
        answer=answers.NiemView,
    ),
    Operation(
        id="readProjections",
        method="POST",
        path="/internal/v1/referrals/{referral_id}/versions/{version}/projections",
        tag="internal",
        summary="One version as each profile may see it, for Hartline's notify. Recorded first.",
        scopes=("internal:projections",),
        takes=Takes("ProjectionRequest", ProjectionRequest),
        answer=answers.Projections,
    ),
    Operation(
        id="readProjectionsTogether",
        method="POST",
        path="/internal/v1/projections",
        tag="internal",
        summary="Several versions at once, each recorded first; null where there is nothing.",
        scopes=("internal:projections",),
        takes=Takes("ProjectionsRequest", ProjectionsRequest),
        answer=answers.ProjectionsTogether,
    ),
)

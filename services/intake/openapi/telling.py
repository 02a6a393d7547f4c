"""The operations that only Hartline's notify calls, beside the projections."""

from functools import partial
from typing import Any

from services.intake.openapi.answers import Answer
from services.intake.openapi.operations import Operation, Takes
from services.intake.telling.schemas import TellingRequest
from shared.contracts.base import OpaqueId


class IncidentOfChild(Answer):
    """Form DCF-823 of one child."""

    child_id: OpaqueId
    incident: dict[str, Any]


class IncidentsTold(Answer):
    """Form DCF-823 of each child of a referral, as it stood by a decision."""

    referral_id: OpaqueId
    decision: int
    children: list[IncidentOfChild]


class OutcomeTold(Answer):
    """What a consult came to."""

    referral_id: OpaqueId
    child_id: OpaqueId
    consult: dict[str, Any]


_told = partial(
    Operation,
    method="POST",
    tag="internal",
    scopes=("internal:projections",),
    takes=Takes("TellingRequest", TellingRequest),
)

OPERATIONS = (
    _told(
        id="tellIncidents",
        path="/internal/v1/referrals/{referral_id}/decisions/{number}/critical-incidents",
        summary="Form DCF-823 by a decision, for Hartline's notify. Recorded first.",
        answer=IncidentsTold,
    ),
    _told(
        id="tellOutcome",
        path="/internal/v1/consults/{consult_id}/outcome",
        summary="What a completed consult came to, for Hartline's notify. Recorded first.",
        answer=OutcomeTold,
    ),
)

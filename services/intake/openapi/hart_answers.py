"""The JSON of the answers about HART, operations, placements and repatriations."""

from typing import Any

from pydantic import AwareDatetime

from services.intake.openapi.answers import Answer
from shared.contracts.base import OpaqueId


class Asked(Answer):
    consult_id: OpaqueId
    request_id: OpaqueId
    started_at: AwareDatetime


class StepKept(Answer):
    consult_id: OpaqueId
    step: str
    occurred_at: AwareDatetime


class ConsultStatus(Answer):
    """How far a consult is: ids and times."""

    consult_id: OpaqueId
    referral_id: OpaqueId
    child_id: OpaqueId
    state: str
    started_at: AwareDatetime
    completed_at: AwareDatetime | None
    entered_at: AwareDatetime | None


class ConsultContent(ConsultStatus):
    """A consult with its narratives."""

    entries: list[dict[str, Any]]


class DecisionMap(Answer):
    """The levels that a consult can come to, and whose scale it is."""

    version: str
    origin: str
    levels: list[dict[str, Any]]


class RecusalKept(Answer):
    recusal_id: OpaqueId


class LiftStep(RecusalKept):
    """A step of lifting a recusal."""

    step: str


class TriageQueue(Answer):
    waiting: list[dict[str, Any]]


class Reviews(Answer):
    referral_id: OpaqueId
    reviews: list[dict[str, Any]]


class ReviewKept(Answer):
    review_id: OpaqueId
    reviewed_at: AwareDatetime


class FlagKept(Answer):
    flag_id: OpaqueId
    joined: bool


class FlagLinked(Answer):
    flag_id: OpaqueId
    referral_id: OpaqueId


class WaitingFlags(Answer):
    waiting: list[dict[str, Any]]


class FlagContent(Answer):
    """Which case was flagged, and why."""

    flag_id: OpaqueId
    case_number: str
    reasons: str


class OperationKept(Answer):
    operation_id: OpaqueId
    expires_at: AwareDatetime


class Operations(Answer):
    operations: list[OperationKept]


class OperationContent(OperationKept):
    """The notice: what was said of it is there, the rest is left out."""

    agency: str
    plan: str


class PlacementKept(Answer):
    placement_id: OpaqueId


class TellingKept(Answer):
    disclosure_id: OpaqueId
    told_at: AwareDatetime


class PlacementConfirmed(Answer):
    placement_id: OpaqueId
    confirmed_at: AwareDatetime


class DeterminationKept(Answer):
    determination_id: OpaqueId


class RepatriationKept(Answer):
    repatriation_id: OpaqueId
    permitted_at: AwareDatetime

"""HTTP bodies of calls. No field is for caller-ID: nothing is derived from it, and none is kept."""

from enum import StrEnum
from typing import Annotated

from services.intake.codes import OneOf
from services.intake.fields import Cited
from services.intake.schemas import Body, Moment


class ClosedWhy(StrEnum):
    """Why a person closes a call that became no referral. Our list."""

    NOT_A_REPORT = "not_a_report"
    FINISHED_ELSEWHERE = "finished_elsewhere"
    """The caller rang again, and that call is the referral."""
    ENTERED_IN_ERROR = "entered_in_error"


class NewCall(Body):
    """A call comes in. `received_at` is now, unless the call was written down on paper before."""

    received_at: Moment | None = None
    synthetic: bool = False


class Closing(Body):
    why: ClosedWhy


class Reading(Body):
    """Why somebody reads what was typed, and by what right; both are recorded first (P2)."""

    purpose: Annotated[str, OneOf("reading_purpose")]
    authority: Cited
